"""Running the workers of an engine to their ends: lost ones are started again, one progress bar shows all."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from ...data.cache.manifest import MANIFEST, RUN
from ...data.errors import LagerError
from ...data.progress import Progress, Say
from ...data.run.run_status import run_status
from .engine import Ended, Engine

# A lost worker is started again this many times: what it reads may be what ends it.
MOST_RESTARTS = 3
_LOOK_SECONDS = 1.0


def run_workers(engine: Engine, call: dict[str, Any], *, say: Say, shown: bool) -> list[dict[str, Any]]:
    """Run all workers of an engine to their ends."""
    n = engine.n_workers
    calls = [{**call, "rank": rank, "world_size": n} for rank in range(n)]
    results: list[dict[str, Any]] = []
    losses: Counter[int] = Counter()
    overview = _Overview(Path(call["cache"]), shown=shown)
    running = n
    try:
        for one in calls:
            engine.start(one)
        while running:
            for ended in engine.ended():
                if ended.result is None and losses[ended.rank] < MOST_RESTARTS:
                    losses[ended.rank] += 1
                    say(f"worker {ended.rank} was lost ({ended.how}); it is started again")
                    engine.start(calls[ended.rank])
                    continue
                running -= 1
                results.append(_result(ended))
            overview.update()
    finally:
        overview.close()
        engine.close()
    failed = [result for result in results if "error" in result]
    for result in failed:
        say(f"worker {result['rank']} failed: {result['error']}")
    if len(failed) == len(results) or (failed and not (Path(call["cache"]) / MANIFEST).exists()):
        raise LagerError(failed[0]["error"])
    return results


def _result(ended: Ended) -> dict[str, Any]:
    """Return what a worker did; an error for one that was lost too often."""
    lost = f"it was lost {MOST_RESTARTS + 1} times, the last time it {ended.how}"
    return {"rank": ended.rank, "error": lost} if ended.result is None else ended.result


class _Overview:
    """One bar over all workers, from the run's folder."""

    def __init__(self, cache: Path, *, shown: bool) -> None:
        self.cache, self.shown = cache, shown
        self._progress: Progress | None = None
        self._looked = time.monotonic()

    def update(self) -> None:
        """Look at the folder again, now and then."""
        if not self.shown or time.monotonic() - self._looked < _LOOK_SECONDS or not (self.cache / RUN).exists():
            return
        self._looked = time.monotonic()
        now = run_status(self.cache)
        if self._progress is None:
            self._progress = Progress(now.items, done=now.items_done).__enter__()
        elif now.items_done > self._progress.done:
            self._progress.advance(now.items_done - self._progress.done)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)

"""`kill -9` at many random moments of an extraction, each followed by the same extraction again.

Each trial extracts into a new cache in a process that is killed: at a moment drawn over the length of a whole run, or,
in every third trial, while a file is being written. Then the same extraction runs to its end. What must hold: the
content hash is that of an uninterrupted run, every file verifies, each item is there once, and no shard that was
finished is made again (same inode, same time).

    python benchmarks/kills.py --kills 100

The model is loaded once and each trial is a fork, so that a kill lands in the extraction and not in the imports.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from lager.data.cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.verify import verify_cache
from lager.extract.extractor import extract_features
from lager.extract.judge import Judge, load_judge

DEMO = Path(__file__).resolve().parent.parent / "data" / "demo"
SHARD_SIZE = 4


class Trial(NamedTuple):
    """One kill: when it came, and the shards that were finished then, with their inode and time."""

    cache: Path
    moment: str
    finished: dict[str, tuple[int, int]]


def run_trials(n: int, *, n_items: int, folder: Path, seed: int = 0) -> tuple[Path, list[Trial]]:
    """Kill `n` extractions of `n_items` items and run each again; return an uninterrupted cache, and the trials."""
    judge = load_judge(DEMO / "judge", device="cpu")
    whole = folder / "whole"
    start = time.monotonic()
    _wait(_forked(judge, whole, n_items))
    seconds = time.monotonic() - start
    rng = random.Random(seed)
    return whole, [
        _trial(judge, folder / f"trial{k}", n_items, seconds=None if k % 3 == 2 else rng.uniform(0, seconds))
        for k in range(n)
    ]


def _trial(judge: Judge, cache: Path, n_items: int, *, seconds: float | None) -> Trial:
    process = _forked(judge, cache, n_items)
    if seconds is None:
        _await_writing(process, cache, after=random.Random(str(cache)).randrange(n_items // SHARD_SIZE + 2))
    else:
        time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    _wait(process, killed=True)
    trial = Trial(cache, _moment(cache, n_items), _shards(cache))
    _wait(_forked(judge, cache, n_items))
    return trial


def find_faults(trial: Trial, whole: Path) -> list[str]:
    """Return what is wrong with a cache that was finished after a kill; forking is over then (polars has threads)."""
    cache = trial.cache
    try:
        made, expected = FeatureCache.open(cache), FeatureCache.open(whole)
    except ValueError as error:
        return [str(error)]
    faults = [f"{fault.file}: {fault.what}" for fault in verify_cache(cache)]
    if made.content_hash != expected.content_hash:
        faults.append("another content hash")
    if made.item_id.tolist() != expected.item_id.tolist():
        faults.append("other items")
    now = _shards(cache)
    return faults + [f"{name} was made again" for name, state in trial.finished.items() if now.get(name) != state]


def _shards(cache: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of every shard that has its final name."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in cache.glob("shards/*.h5")}


def _moment(cache: Path, n_items: int) -> str:
    """Name where a run was when it was killed."""
    if (cache / "manifest.json").exists():
        return "after the manifest"
    if list(cache.rglob("*.tmp")):
        return "while a file was written"
    if not (cache / "run.json").exists():
        return "before the first file"
    return "after the last shard" if len(_shards(cache)) * SHARD_SIZE >= n_items else "between shards"


def _await_writing(process: int, cache: Path, *, after: int) -> None:
    """Wait until a temporary file lies in the cache, when `after` shards are done or nearly; or until the run ends."""
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if len(list(cache.glob("shards/*.h5"))) >= after and any(cache.rglob("*.tmp")):
            return


def _forked(judge: Judge, cache: Path, n_items: int) -> int:
    """Start the extraction in a child process and return its id."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            options: dict[str, Any] = {"limit": n_items, "shard_size": SHARD_SIZE, "quiet": True}
            extract_features(judge, DEMO / "train.jsonl", cache=cache, **options)
            status = 0
        except LagerError as error:
            print(error, flush=True)
        finally:
            os._exit(status)
    return process


def _wait(process: int, *, killed: bool = False) -> None:
    status = os.waitpid(process, 0)[1]
    if status and not (killed and os.WIFSIGNALED(status)):
        raise RuntimeError(f"the extraction ended with status {status}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, trials = run_trials(arguments.kills, n_items=arguments.items, folder=Path(folder), seed=arguments.seed)
        faults = {trial.cache.name: found for trial in trials if (found := find_faults(trial, whole))}
    for moment, count in Counter(trial.moment for trial in trials).most_common():
        print(f"{count:4d} killed {moment}")
    print(f"{sum(len(trial.finished) for trial in trials):4d} shards were finished at the kills")
    print(f"{len(faults)} of {len(trials)} ended in another cache than an uninterrupted run")
    for name, found in faults.items():
        print(name, *found, sep="\n    ")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()

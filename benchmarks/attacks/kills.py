"""`kill -9` at many random moments of an extraction, each followed by the same extraction again.

Each trial extracts into a cache in a process that is killed: by turns at a moment drawn over the length of a whole run,
some moments after a drawn number of shards, and while a file is being written. Then the same extraction runs to its
end. What must hold: the content hash is that of an uninterrupted run, every file verifies, each item is there once, and
no shard that was finished is made again (same inode, same time).

With --after-limit the cache held every second item before, so that a kill may come while these are set aside and taken
over. What must hold then: the same items, every file verifies, rows that were read before have the same bits, all
others agree with an uninterrupted run to 1e-4.

    python benchmarks/attacks/kills.py --kills 100
    python benchmarks/attacks/kills.py --kills 100 --after-limit

The model is loaded once and each trial is a fork, so that a kill lands in the extraction and not in the imports.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.data.run.set_aside import EARLIER
from lager.data.tools.verify import verify_cache
from lager.extract.extractor import extract_features
from lager.extract.model.judge import Judge, load_judge
from lager.extract.options.groups import LoadOptions

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
SHARD_SIZE = 4


class Trial(NamedTuple):
    """One kill: when it came, and the shards that were finished then, with their inode and time."""

    cache: Path
    moment: str
    finished: dict[str, tuple[int, int]]


class Trials(NamedTuple):
    """All kills, an uninterrupted cache, and the one with every second item, where trials began with a copy of it."""

    whole: Path
    before: Path | None
    trials: list[Trial]


def run_trials(n: int, *, n_items: int, folder: Path, after_limit: bool = False, seed: int = 0) -> Trials:
    """Kill `n` extractions of `n_items` items and run each again; see above."""
    torch.set_num_threads(1)  # a child of a process whose torch has threads would wait for them for ever
    judge = load_judge(DEMO / "judge", LoadOptions(device="cpu"))
    rows, whole = range(n_items), folder / "whole"
    before = folder / "before" if after_limit else None
    if before is not None:
        _wait(_forked(judge, before, range(0, n_items, 2)))
        shutil.copytree(before, whole)
    start = time.monotonic()
    _wait(_forked(judge, whole, rows))
    seconds = time.monotonic() - start
    rng = random.Random(seed)
    trials = []
    for k in range(n):
        cache = folder / f"trial{k}"
        if before is not None:
            shutil.copytree(before, cache)
        process = _forked(judge, cache, rows)
        if k % 3:
            _await_shards(process, cache, rng.randrange(n_items // SHARD_SIZE + 1), writing=k % 3 == 2)
        if k % 3 < 2:
            time.sleep(rng.uniform(0, seconds if k % 3 == 0 else seconds / 20))
        os.kill(process, signal.SIGKILL)
        _wait(process, killed=True)
        trials.append(Trial(cache, _moment(cache, n_items), _shards(cache)))
        _wait(_forked(judge, cache, rows))
    return Trials(whole, before, trials)


def find_faults(trial: Trial, whole: Path, before: Path | None) -> list[str]:
    """Return what is wrong with a cache that was finished after a kill; forking is over then (polars has threads)."""
    try:
        made, expected = FeatureCache.open(trial.cache), FeatureCache.open(whole)
    except LagerError as error:
        return [str(error)]
    faults = [f"{fault.file}: {fault.what}" for fault in verify_cache(trial.cache)]
    if made.item_id.tolist() != expected.item_id.tolist():
        return [*faults, "other items"]
    if before is None:
        if made.content_hash != expected.content_hash:
            faults.append("another content hash")
        now = _shards(trial.cache)
        return faults + [f"{name} was made again" for name, state in trial.finished.items() if now.get(name) != state]
    if not np.allclose(made.logits, expected.logits, rtol=0, atol=1e-4):
        faults.append("values beyond 1e-4")
    if not np.array_equal(made.logits[::2], FeatureCache.open(before).logits):
        faults.append("rows that were read before have other values")
    if (trial.cache / EARLIER).exists():
        faults.append("rows are left over")
    return faults


def _shards(cache: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of every shard that has its final name."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in cache.glob("shards/*.h5")}


def _moment(cache: Path, n_items: int) -> str:
    """Name where a run was when it was killed."""
    if not (cache / "run.json").exists():
        return "before the run's record"
    if list(cache.rglob("*.h5.*.tmp")) or list(cache.glob(".*.json.*.tmp")) or list(cache.glob(".*.parquet.*.tmp")):
        return "while a file was written"
    if (cache / "manifest.json").exists():
        return "while there was a manifest"
    return "after the last shard" if len(_shards(cache)) * SHARD_SIZE >= n_items else "between shards"


def _await_shards(process: int, cache: Path, n: int, *, writing: bool) -> None:
    """Wait until `n` shards are there and, if so asked, a file is being written; or until the run ends."""
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if len(list(cache.glob("shards/*.h5"))) >= n and (not writing or list(cache.glob("**/.*.*.tmp"))):
            return


def _forked(judge: Judge, cache: Path, rows: range) -> int:
    """Start the extraction in a child process and return its id."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            items = load_items(DEMO / "train.jsonl").take(list(rows))
            extract_features(judge, items, cache=cache, shard_size=SHARD_SIZE, extend=True, quiet=True)
            status = 0
        except LagerError as error:
            print(error, file=sys.stderr, flush=True)
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
    parser.add_argument("--after-limit", action="store_true", help="begin with a cache of every second item")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, before, trials = run_trials(
            given.kills, n_items=given.items, folder=Path(folder), after_limit=given.after_limit, seed=given.seed
        )
        faults = {trial.cache.name: found for trial in trials if (found := find_faults(trial, whole, before))}
    for moment, count in Counter(trial.moment for trial in trials).most_common():
        print(f"{count:4d} killed {moment}")
    print(f"{sum(len(trial.finished) for trial in trials):4d} shards were finished at the kills")
    print(f"{len(faults)} of {len(trials)} ended in another cache than an uninterrupted run")
    for name, found in faults.items():
        print(name, *found, sep="\n    ")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()

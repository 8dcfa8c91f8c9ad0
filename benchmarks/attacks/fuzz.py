"""Mutated files of every kind: only the project's own error or a sound result may come out.

    python benchmarks/attacks/fuzz.py --cases 20000

Each case is made from its number alone, so a case that fails can be run again with --first N --cases 1. Cases run in
child processes; one that dies, takes more than a gigabyte of memory, or does not answer in five seconds of computing,
is counted with its number. With --log FILE outcomes are kept, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from fuzz_files import (
    IDENTITY,
    IDS,
    N_ITEMS,
    SCALE,
    SHARD,
    make_seeds,
    mutate_bytes,
    mutate_structure,
    open_sound,
    put_checksum_right,
    spoil_rows,
    write_mutated_json,
    write_mutated_values,
)
from lager.data.cache.feature_cache import FeatureCache
from lager.data.commands.summary import summarise
from lager.data.errors import LagerError
from lager.data.files.canonical import canonical_json
from lager.data.items.score_files import read_external, read_human_scores
from lager.data.open_items import load_items
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.finalize import finalize_cache
from lager.data.run.run_status import run_status
from lager.data.tools.export import export_cache
from lager.data.tools.merge import merge_caches
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache
from lager.evaluate.compare.comparison_table import comparison_table
from lager.evaluate.compare.runs import compare_runs
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.tables.latex import latex
from lager.evaluate.tables.markdown import markdown
from lager.train.files.aggregator_file import load_aggregator

SECONDS = 5  # of computing: other programs may keep the machine busy
WAITING = 30
MEGABYTES = 1024
GOOD = ("error of our own", "read")
Case = Callable[[Path, Path, random.Random], None]


def items_case(suffix: str) -> Case:
    """Return a case of an item file."""

    def case(seeds: Path, folder: Path, rng: random.Random) -> None:
        path = folder / f"rows{suffix}"
        spoil_rows(seeds / path.name, path, rng)
        items = load_items(path)
        assert len(items) == len(items.fields) == len(items.table), "rows do not line up"
        assert all(np.isfinite(s) for scores in items.table["scores"].to_list() for s in scores), (
            "a score is not finite"
        )
        json.dumps(items.fields, ensure_ascii=False).encode()  # it is text

    return case


def scores_case(seeds: Path, folder: Path, rng: random.Random) -> None:
    """Read a spoilt file of scores in the three ways in which score files are read."""
    path = folder / f"rows{rng.choice(['.jsonl', '.json', '.csv', '.parquet'])}"
    spoil_rows(seeds / path.name, path, rng)
    cache = open_sound(seeds)
    tried: list[LagerError] = []
    try:
        scored = cache.with_scores(path)
        assert np.isfinite(scored.mean_scores[~np.isnan(scored.mean_scores)]).all(), "a score is not finite"
        assert len(scored.items) == N_ITEMS, "items are lost"
    except LagerError as error:
        tried.append(error)
    try:
        table = read_human_scores(path, SCALE)
        assert all(1 <= s <= 5 for scores in table["scores"].to_list() for s in scores), "a score is off the scale"
    except LagerError as error:
        tried.append(error)
    for one in read_external([f"{path}:judge"], cache.items, SCALE):
        assert not np.isinf(one.scores).any(), "a score is not finite"
    if tried:
        raise tried[0]


def aggregator_case(seeds: Path, folder: Path, rng: random.Random) -> None:
    """Score with a spoilt aggregator."""
    path = folder / "aggregator.json"
    write_mutated_json(rng.choice(sorted((seeds / "aggregators").iterdir())), path, rng)
    readouts = open_sound(seeds).readouts()
    scores = load_aggregator(path).aggregator.predict(readouts)
    assert scores.shape == (len(readouts),), "a score is missing"
    assert np.isfinite(scores).all(), "a score is not finite"


def results_case(seeds: Path, folder: Path, rng: random.Random) -> None:
    """Compare a spoilt folder of results with a sound one."""
    for name in ("sound", "spoilt"):
        (folder / name).mkdir()
    shutil.copy(seeds / "results.json", folder / "sound")
    write_mutated_json(seeds / "results.json", folder / "spoilt" / "results.json", rng)
    content = json.loads((folder / "sound" / "results.json").read_text())
    content["about"]["model"] = "another"
    (folder / "sound" / "results.json").write_text(json.dumps(content))
    compared = compare_runs([folder / "sound", folder / "spoilt"], metric=rng.choice(["spearman", "mae", "kl"]))
    canonical_json(compared.as_json())
    table = comparison_table(compared, intervals=True)
    assert len(table.rows) == len(compared.rows), "a row is missing"
    markdown(table)
    latex(table)


def run_case_json(seeds: Path, folder: Path, rng: random.Random) -> None:
    """Go on with, finish, look at and repair a run whose record is spoilt."""
    path = folder / "cache"
    shutil.copytree(seeds / "cache", path)
    write_mutated_json(seeds / "cache" / "run.json", path / "run.json", rng)
    if rng.random() < 0.5:
        (path / "manifest.json").unlink()
    tried: list[LagerError] = []
    for use in (
        FeatureCache.open,
        run_status,
        lambda path: CacheWriter.start(path, identity=IDENTITY, item_id=IDS),
        finalize_cache,
        repair_cache,
        verify_cache,
    ):
        try:
            use(path)
        except LagerError as error:
            tried.append(error)
    assert_sound_or_refused(seeds, path)
    if tried:
        raise tried[0]


def manifest_case(seeds: Path, folder: Path, rng: random.Random) -> None:
    """Read a cache with a spoilt manifest."""
    path = folder / "cache"
    shutil.copytree(seeds / "cache", path)
    write_mutated_json(seeds / "cache" / "manifest.json", path / "manifest.json", rng)
    verify_cache(path)
    canonical_json(summarise(FeatureCache.open(path)))
    assert_sound_or_refused(seeds, path)


def assert_sound_or_refused(seeds: Path, path: Path) -> None:
    """Check that a cache whose shards were not touched gives the values that it had."""
    try:
        logits = FeatureCache.open(path).logits
    except LagerError:
        return
    np.testing.assert_array_equal(logits, open_sound(seeds).logits)


def file_case(name: str, mutate: Callable[[bytes, random.Random], bytes] | None) -> Case:
    """Return a case of a cache's own file, most often with its checksum put right; without `mutate`, of its values."""

    def case(seeds: Path, folder: Path, rng: random.Random) -> None:
        path = folder / "cache"
        shutil.copytree(seeds / "cache", path)
        if mutate is None:
            write_mutated_values(seeds / "cache" / name, path / name, rng)
        else:
            (path / name).write_bytes(mutate((path / name).read_bytes(), rng))
        changed = (path / name).read_bytes() != (seeds / "cache" / name).read_bytes()
        vouched = rng.random() < 0.9
        if vouched:
            put_checksum_right(path, name)
        faults = verify_cache(path)
        cache = FeatureCache.open(path)
        readouts = cache.readouts()
        assert not changed or vouched, "a change was not noticed"
        assert not changed or faults or name != SHARD or mutate is None or same(cache, open_sound(seeds)), (
            "other values"
        )
        assert readouts.logits.shape[1:] == (cache.n_layers + 1, len(cache.scale)), "a read-out has another shape"
        assert len(readouts) <= cache.n_items == len(cache.reason), "rows do not line up"
        for pooling in cache.poolings:
            cache.hidden(pooling)
        canonical_json(evaluate_cache(cache, ["vscore", "e-score", "lager"], resamples=0).as_json())
        canonical_json(summarise(cache))
        if rng.random() < 0.3:
            (path / "manifest.json").unlink()
            repair_cache(path)
        elif rng.random() < 0.3:
            export_cache(cache, out=folder / "exported", file_format="numpy")
            merge_caches([path, seeds / "cache"], out=folder / "merged")

    return case


def same(cache: FeatureCache, other: FeatureCache) -> bool:
    """Return whether two caches give equal numbers."""
    return all(
        np.array_equal(getattr(cache, name), getattr(other, name))
        for name in ("logits", "logits_normed", "logsumexp", "n_tokens", "position", "valid", "prompt_sha256")
    )


CASES: dict[str, Case] = {
    "manifest": manifest_case,
    "run record": run_case_json,
    "shard, any byte": file_case(SHARD, mutate_bytes),
    "shard, structure": file_case(SHARD, mutate_structure),
    "shard, values": file_case(SHARD, None),
    "item table": file_case("items.parquet", mutate_bytes),
    "aggregator": aggregator_case,
    "items, JSONL": items_case(".jsonl"),
    "items, JSON": items_case(".json"),
    "items, CSV": items_case(".csv"),
    "items, Parquet": items_case(".parquet"),
    "score file": scores_case,
    "results": results_case,
}
KINDS = tuple(CASES)


def run_case(number: int, seeds: Path, folder: Path) -> str:
    """Make one case and use it; return how it ended."""
    try:
        CASES[KINDS[number % len(KINDS)]](seeds, folder, random.Random(number))
    except LagerError as error:
        return "error of our own" if str(error).isprintable() else "FAILED an error that cannot be shown as it is"
    return "read"


def work(numbers: range, seeds: Path) -> None:
    """Run cases in this process and print each one's number and outcome."""
    signal.signal(signal.SIGPROF, _too_slow)
    signal.signal(signal.SIGALRM, _too_slow)
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            folder = Path(name) / str(number)
            folder.mkdir()
            print(number, "began", flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(WAITING)
            faulthandler.dump_traceback_later(2 * WAITING, exit=True)  # should C code never come back
            try:
                outcome = run_case(number, seeds, folder)
            except BaseException as error:  # a panic of a library is no Exception
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(place.filename).name}:{place.lineno}"
                outcome = f"FAILED {type(error).__name__}: {str(error)[:90]!r} at {where}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
            if (used := _peak_megabytes()) > MEGABYTES:
                print(number, f"FAILED it took {used} MiB of memory", flush=True)
                raise SystemExit(1)
            print(number, outcome, flush=True)
            shutil.rmtree(folder)


def _peak_megabytes() -> int:
    """Return the most memory that this process had; `ru_maxrss` would start from its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def _too_slow(signum: int, frame: object) -> None:
    raise TimeoutError(f"no answer in {SECONDS} s of computing, or {WAITING} s of waiting")


def run_block(numbers: range, seeds: Path) -> dict[int, str]:
    """Run cases in child processes, a new one after each that dies; return their outcomes."""
    outcomes: dict[int, str] = {}
    while numbers:
        arguments = ["--worker", str(seeds), "--first", str(numbers.start), "--cases", str(len(numbers))]
        command = [sys.executable, "-W", "ignore", __file__, *arguments]
        child = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
            env={**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        found = {int(number): outcome for number, outcome in (line.split(" ", 1) for line in child.stdout.splitlines())}
        if not found:
            raise RuntimeError(f"the worker for cases from {numbers.start} could not start")
        last = max(found)
        if found[last] == "began":
            found[last] = f"FAILED the interpreter died with {child.returncode}"
        outcomes |= found
        numbers = range(last + 1, numbers.stop)
    return outcomes


def fuzz(numbers: range, *, jobs: int = 2, block: int = 250, log: Path | None = None) -> dict[int, str]:
    """Run cases; return the outcome of each.

    Parameters
    ----------
    numbers : range
        Which cases.
    jobs : int
        How many child processes at a time.
    block : int
        Cases of one child process.
    log : Path, optional
        Where outcomes are appended; cases that are in it are not run again.
    """
    outcomes = {} if log is None or not log.exists() else _read_log(log)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        make_seeds(Path(name))
        blocks = [numbers[i : i + block] for i in range(0, len(numbers), block)]
        left = [part for part in blocks if not all(number in outcomes for number in part)]
        for found in pool.map(lambda part: run_block(part, Path(name)), left):
            outcomes |= found
            if log is not None:
                with log.open("a") as file:
                    file.writelines(f"{number} {outcome}\n" for number, outcome in found.items())
    return {number: outcomes[number] for number in numbers}


def _read_log(log: Path) -> dict[int, str]:
    return {int(number): outcome for number, outcome in (line.split(" ", 1) for line in log.read_text().splitlines())}


def table(outcomes: dict[int, str]) -> str:
    """Return the counts by kind and outcome, as Markdown."""
    counts = Counter((KINDS[n % len(KINDS)], one if one in GOOD else "failed") for n, one in outcomes.items())
    lines = ["| file | cases | refused with an error of our own | read, sound | failed |", "|---|---:|---:|---:|---:|"]
    for kind in KINDS:
        refused, read, failed = (counts[kind, outcome] for outcome in (*GOOD, "failed"))
        lines.append(f"| {kind} | {refused + read + failed} | {refused} | {read} | {failed} |")
    return "\n".join(lines)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.cases)
    if options.worker:
        work(numbers, options.worker)
        return 0
    began = time.monotonic()
    outcomes = fuzz(numbers, jobs=options.jobs, log=options.log)
    failed = {number: outcome for number, outcome in outcomes.items() if outcome not in GOOD}
    print(table(outcomes))
    for number, outcome in list(failed.items())[:60]:
        print(f"case {number} ({KINDS[number % len(KINDS)]}): {outcome}")
    print(f"{options.cases} cases in {time.monotonic() - began:.0f} s, {len(failed)} failed")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())

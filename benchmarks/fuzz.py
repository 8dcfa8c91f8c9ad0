"""Mutated caches, aggregators and item files: only the project's own error or a sound result may come out.

    python benchmarks/fuzz.py --cases 20000

Each case is made from its number alone, so a case that fails can be run again with --first N --cases 1. Cases run in
child processes; one that dies, or does not answer in five seconds, is counted with its number.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lager.data.cache import FeatureCache
from lager.data.cache_writer import CacheWriter
from lager.data.canonical import seal, sha256_file
from lager.data.errors import LagerError
from lager.data.items import TABLE_SCHEMA, Items, load_items
from lager.data.scale import Scale
from lager.data.shards import ShardData
from lager.train.aggregator_file import load_aggregator, save_aggregator
from lager.train.strategies import fit_strategy

SECONDS = 5
GOOD = ("error of our own", "read")
KINDS = ("manifest", "shard", "items.parquet", "aggregator", "jsonl", "csv", "parquet")
HOSTILE: list[Any] = [
    None, True, -1, 0, 1, 1.5, 2**31, 2**63, 2**70, -(2**63), 1e308, 1e-320, "", "x", "../x", "/etc/passwd",
    "shards/00000.h5", "\x00", "\ud800", "é" * 50, "9" * 400, [], {}, [[]], [None] * 40, {"": {}}, "1e999", "NaN",
]  # fmt: skip


def make_seeds(folder: Path) -> None:
    """Write one sound file of each kind."""
    n, rng = 24, np.random.default_rng(0)
    scale = Scale.parse("1-5")
    ids = tuple(f"item{i}" for i in range(n))
    table = pl.DataFrame(
        {
            "item_id": ids,
            "scores": rng.integers(1, 6, size=(n, 2)).astype(float).tolist(),
            "group": ["a", "b"] * (n // 2),
            "cluster": [str(i % 6) for i in range(n)],
            "system": [None] * n,
        },
        schema=TABLE_SCHEMA,
    )
    items = Items(ids, ({},) * n, "fields", table)
    logits = rng.normal(size=(n, 5, 5)).astype(np.float32)
    data = ShardData(
        item_id=list(ids),
        prompt_sha256=rng.integers(0, 256, size=(n, 32), dtype=np.uint8),
        n_tokens=np.arange(n, dtype=np.int32),
        logits=logits,
        logits_normed=logits,
        logsumexp=np.full(n, 9, np.float32),
        position=np.arange(n, dtype=np.int32),
        valid=np.ones(n, bool),
        reason=[""] * n,
    )
    identity = {"inputs": {"a": 1}, "readout_inputs": {"b": 1}, "scale": scale.as_json(), "recorded": {"model": "m"}}
    writer = CacheWriter.start(folder / "cache", identity=identity, item_id=ids)
    writer.write(0, data, items=items.table)
    cache = writer.finalize()
    save_aggregator(folder / "aggregator.json", fit_strategy("lager-tuned", cache.readouts()))
    rows = [{"id": str(i), "response": f"text {i}", "score": [1.0, i % 5], "group": "g"} for i in range(n)]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flat = pl.DataFrame([{**row, "score": row["score"][1]} for row in rows])
    flat.write_csv(folder / "items.csv")
    flat.write_parquet(folder / "items.parquet")


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, overwrite, cut, repeat or splice a few bytes."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(out) or 1)
        match rng.randrange(6):
            case 0 if out:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at : at + 4] = rng.choice([b"\xff" * 4, b"\x00" * 4, b"\x80\x00\x00\x00", rng.randbytes(4)])
            case 2:
                del out[at:]
            case 3:
                del out[at : at + rng.randrange(1, 64)]
            case 4:
                out[at:at] = out[at : at + rng.randrange(1, 64)] * rng.randrange(1, 4)
            case 5:
                other = rng.randrange(len(out) or 1)
                out[at : at + 16] = out[other : other + 16]
    return bytes(out)


def mutate_json(value: Any, rng: random.Random) -> Any:
    """Return the value with one place replaced, dropped, nested or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: mutate_json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        change: list[Any] = rng.choice([[], [value[at]] * 2, [mutate_json(value[at], rng)]])
        return [*value[:at], *change, *value[at + 1 :]]
    if rng.random() < 0.03:
        for _ in range(rng.choice([50, 3000])):
            value = [value]
        return value
    return rng.choice(HOSTILE)


def run_case(number: int, seeds: Path, folder: Path) -> str:
    """Make one case and use it; return how it ended."""
    rng = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    try:
        if kind in {"jsonl", "csv", "parquet"}:
            path = folder / f"items.{kind}"
            path.write_bytes(mutate_bytes((seeds / path.name).read_bytes(), rng))
            items = load_items(path)
            assert len(items) == len(items.fields) == len(items.table), "rows do not line up"
            assert all(np.isfinite(s) for scores in items.table["scores"].to_list() for s in scores), (
                "a score is not finite"
            )
        elif kind == "aggregator":
            path = folder / "aggregator.json"
            write_mutated_json(seeds / "aggregator.json", path, rng)
            readouts = FeatureCache.open(seeds / "cache").readouts()
            scores = load_aggregator(path).aggregator.predict(readouts)
            assert scores.shape == (len(readouts),), "a score is missing"
            assert np.isfinite(scores).all(), "a score is not finite"
        else:
            use_cache(kind, seeds / "cache", folder / "cache", rng)
    except LagerError as error:
        return "error of several lines" if "\n" in str(error) else "error of our own"
    return "read"


def write_mutated_json(source: Path, target: Path, rng: random.Random) -> None:
    """Mutate the bytes, or the values with the seal made again, as a stranger would."""
    if rng.random() < 0.2:
        target.write_bytes(mutate_bytes(source.read_bytes(), rng))
        return
    value = json.loads(source.read_text())
    for _ in range(rng.choice([1, 1, 1, 3])):
        value = mutate_json(value, rng)
    try:
        value = seal(value) if isinstance(value, dict) and rng.random() < 0.9 else value
        target.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    except (ValueError, RecursionError):
        target.write_text("{}")


def use_cache(kind: str, sound: Path, path: Path, rng: random.Random) -> None:
    """Mutate one file of a cache, put the checksums right, and read all of it."""
    shutil.copytree(sound, path)
    original = FeatureCache.open(sound)
    if kind == "manifest":
        write_mutated_json(sound / "manifest.json", path / "manifest.json", rng)
    else:
        name = "shards/00000.h5" if kind == "shard" else kind
        (path / name).write_bytes(mutate_bytes((sound / name).read_bytes(), rng))
        manifest = json.loads((path / "manifest.json").read_text())
        if rng.random() < 0.9:
            entry = manifest["items"] if kind == "items.parquet" else manifest["shards"][0]
            entry["sha256"] = sha256_file(path / name)
        (path / "manifest.json").write_text(json.dumps(seal(manifest)))
    cache = FeatureCache.open(path)
    readouts = cache.readouts()
    assert readouts.logits.shape[1:] == (cache.n_layers + 1, len(cache.scale)), "a read-out has another shape"
    assert len(readouts) <= cache.n_items == len(cache.reason), "rows do not line up"
    if kind == "manifest":
        np.testing.assert_array_equal(cache.logits, original.logits)


def work(numbers: range, seeds: Path) -> None:
    """Run cases in this process and print each one's number and outcome."""
    signal.signal(signal.SIGALRM, _too_slow)
    with tempfile.TemporaryDirectory() as name:
        for number in numbers:
            folder = Path(name) / str(number)
            folder.mkdir()
            print(number, "began", flush=True)
            signal.alarm(SECONDS)
            faulthandler.dump_traceback_later(2 * SECONDS, exit=True)  # should C code never come back
            try:
                outcome = run_case(number, seeds, folder)
            except BaseException as error:  # a panic of a library is no Exception
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(place.filename).name}:{place.lineno}"
                outcome = f"FAILED {type(error).__name__}: {str(error)[:90]!r} at {where}"
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
            print(number, outcome, flush=True)
            shutil.rmtree(folder)


def _too_slow(signum: int, frame: object) -> None:
    raise TimeoutError(f"no answer in {SECONDS} s")


def run_block(numbers: range, seeds: Path) -> dict[int, str]:
    """Run cases in child processes, a new one after each that dies; return their outcomes."""
    outcomes: dict[int, str] = {}
    while numbers:
        arguments = ["--worker", str(seeds), "--first", str(numbers.start), "--cases", str(len(numbers))]
        command = [sys.executable, "-W", "ignore", __file__, *arguments]
        child = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        found = dict(line.split(" ", 1) for line in child.stdout.splitlines())
        outcomes |= {int(number): outcome for number, outcome in found.items()}
        began = [number for number, outcome in outcomes.items() if outcome == "began"]
        if not began and child.returncode:
            raise RuntimeError(f"the worker for cases from {numbers.start} could not start")
        for number in began:
            outcomes[number] = f"FAILED the interpreter died with {child.returncode}"
        numbers = range(began[0] + 1, numbers.stop) if began else range(0)
    return outcomes


def fuzz(numbers: range, *, jobs: int = 2, block: int = 500) -> tuple[Counter[str], dict[int, str]]:
    """Run cases; return the count of each outcome, and the cases that failed."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        make_seeds(Path(name))
        blocks = [numbers[i : i + block] for i in range(0, len(numbers), block)]
        parts = pool.map(lambda part: run_block(part, Path(name)), blocks)
        outcomes = {number: outcome for part in parts for number, outcome in part.items()}
    kinds = {number: KINDS[number % len(KINDS)] for number in outcomes}
    counts = Counter(f"{kinds[number]:14} {outcome.split(':')[0]}" for number, outcome in outcomes.items())
    return counts, {number: outcome for number, outcome in sorted(outcomes.items()) if outcome not in GOOD}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.cases)
    if options.worker:
        work(numbers, options.worker)
        return 0
    began = time.monotonic()
    counts, failed = fuzz(numbers)
    for outcome, count in sorted(counts.items()):
        print(f"{count:7}  {outcome}")
    for number, outcome in list(failed.items())[:40]:
        print(f"case {number} ({KINDS[number % len(KINDS)]}): {outcome}")
    print(f"{options.cases} cases in {time.monotonic() - began:.0f} s, {len(failed)} failed")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())

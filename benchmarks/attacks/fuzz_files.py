"""Sound files of every kind that `lager` reads from others, and ways to spoil them."""

from __future__ import annotations

import json
import random
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shards import ShardData, read_attributes, read_shard, write_shard
from lager.data.files.canonical import canonical_json, seal, sha256_file, sha256_json
from lager.data.items.items import TABLE_SCHEMA, Items
from lager.data.run.cache_writer import CacheWriter
from lager.data.scale import Scale
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.train.files.aggregator_file import save_aggregator
from lager.train.strategies.fit import fit_strategy

N_ITEMS = 24
SHARD = "shards/00000.h5"
SCALE = Scale.parse("1-5")
IDENTITY: dict[str, Any] = {
    "inputs": {
        "condition": {"name": "direct"},
        "prompt": {"kind": "fields", "template": "Rate {{ response }}"},
        "scale": {**SCALE.as_json(), "token_ids_of_forms": [[1, 2, 3, 4, 5]]},
        "dtype": "float32",
    },
    "readout_inputs": {"dtype": "float32"},
    "scale": SCALE.as_json(),
    "recorded": {"model": "m", "revision": None, "batch_tokens": 4096},
}
STRATEGIES = ("lager-tuned", "best-layer", "ridge", "ordinal", "isotonic:lager", "group-mean", "length", "probe:ridge")
COST = {"run": "2026", "end": "2026", "devices": ["cpu"], "device_seconds": 0.3, "tokens": 9, "computed_tokens": 9}
IDS = tuple(f"item{i}" for i in range(N_ITEMS))
HOSTILE: list[Any] = [
    None, True, -1, 0, 1, 1.5, 2**31, 2**63, 2**70, -(2**63), 1e308, 1e-320, "", "x", "../x", "/etc/passwd", "\x1b[2J",
    SHARD, "\x00", "\ud800", "\u202e", "é" * 50, "9" * 400, [], {}, [[]], [None] * 40, {"": {}}, "1e999", "NaN",
]  # fmt: skip
_SCORES: list[Any] = [
    3, "4", [3, None], ["2", 5], "[1, 2]", "[1, [2]]", [True], 6, "nan", float("nan"), float("inf"), "1e400",
]  # fmt: skip
# Where HDF5 keeps what says how large something is and where it lies.
_STRUCTURES = re.compile(rb"\x89HDF|TREE|SNOD|HEAP|GCOL|\x01\x00[\x01-\x0a]\x00\x01\x00\x00\x00|deflate|shuffle|fletch")


def make_seeds(folder: Path) -> None:
    """Write one sound file of each kind."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "item_id": IDS,
            "scores": rng.integers(1, 6, size=(N_ITEMS, 2)).astype(float).tolist(),
            "group": ["a", "b"] * (N_ITEMS // 2),
            "cluster": [str(i % 6) for i in range(N_ITEMS)],
            "system": [None] * N_ITEMS,
        },
        schema=TABLE_SCHEMA,
    )
    items = Items(IDS, ({},) * N_ITEMS, "fields", table)
    logits = rng.normal(size=(N_ITEMS, 5, 5)).astype(np.float32)
    data = ShardData(
        item_id=list(IDS),
        prompt_sha256=rng.integers(0, 256, size=(N_ITEMS, 32), dtype=np.uint8),
        n_tokens=np.arange(N_ITEMS, dtype=np.int32),
        logits=logits,
        logits_normed=logits,
        logsumexp=np.full(N_ITEMS, 9, np.float32),
        position=np.arange(N_ITEMS, dtype=np.int32),
        valid=np.ones(N_ITEMS, bool),
        reason=[""] * N_ITEMS,
        optional={
            "label_form": np.zeros(N_ITEMS, np.uint8),
            "hidden_last": rng.normal(size=(N_ITEMS, 5, 8)).astype(np.float16),
            "hidden_scale_last": np.ones((N_ITEMS, 5), np.float32),
        },
    )
    provenance = {"source": {"file": "rows.jsonl"}, "merged": [{"provenance": {"runs": [COST]}}]}
    writer = CacheWriter.start(folder / "cache", identity=IDENTITY, item_id=IDS, provenance=provenance)
    writer.write(0, data, items=items.table, cost=COST)
    cache = writer.finalize()
    (folder / "aggregators").mkdir()
    for name in STRATEGIES:
        save_aggregator(folder / "aggregators" / f"{name.replace(':', '-')}.json", fit_strategy(name, cache.readouts()))
    evaluation = evaluate_cache(cache, ["vscore", "e-score", "lager"], resamples=20)
    (folder / "results.json").write_text(json.dumps(evaluation.as_json()))
    rows = [
        {"id": i, "response": f"text of {i}", "score": [1.0, n % 5 + 1], "judge": n % 5 + 1.0}
        for n, i in enumerate(IDS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "rows.json").write_text(json.dumps(rows))
    flat = pl.DataFrame([{**row, "score": row["score"][1]} for row in rows])
    flat.write_csv(folder / "rows.csv")
    flat.write_parquet(folder / "rows.parquet")


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


def mutate_structure(data: bytes, rng: random.Random) -> bytes:
    """Change sizes, counts and addresses of an HDF5 file, and leave its values alone."""
    out = bytearray(data)
    places = [match.start() for match in _STRUCTURES.finditer(data)]
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.choice(places) + rng.randrange(0, 72)
        size = rng.choice([1, 2, 4, 8])
        old = int.from_bytes(out[at : at + size], "little")
        other = rng.choice(places)
        new = rng.choice([0, 1, old + 1, old - 1, old * 2, old + 8, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), other,
                          len(out), rng.randrange(len(out)), rng.getrandbits(8 * size)])  # fmt: skip
        out[at : at + size] = (new % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(out[: len(data)])


class _Unchecked(ShardData):
    def check(self) -> None:
        """Let everything pass: a stranger's writer checks nothing."""


def write_mutated_values(source: Path, target: Path, rng: random.Random) -> None:
    """Write a shard that is sound HDF5 and holds what no extractor writes."""
    data = read_shard(source)
    optional = dict(data.optional)
    columns = {name: values for name, values in data.datasets().items() if name not in optional}
    for _ in range(rng.choice([1, 1, 2])):
        row = rng.randrange(N_ITEMS)
        name = rng.choice([*columns, *optional])
        group = optional if name in optional else columns
        values = group[name]
        if name == "item" and rng.random() < 0.7:
            changed = mutate_json(json.loads(values[row]), rng)
            try:
                values[row] = json.dumps(changed)
            except RecursionError:  # Python writes nothing so deep, another writer may
                values[row] = '{"scores": ' + "[" * 3000 + "]" * 3000 + "}"
            continue
        if isinstance(values, list):
            values[row] = rng.choice(["", "\x1b[31m", values[row - 1], "item99", "[" * 3000, "é" * 9000])
            continue
        group[name] = values = values.copy()
        kind = values.dtype.kind
        extremes: list[Any] = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45]
        if kind != "f":
            extremes = [0, 1] if kind in "bu" else [-1, 0, 2**31 - 1, -(2**31)]
        values[row if rng.random() < 0.8 else slice(None)] = rng.choice(extremes)
    if rng.random() < 0.1:
        optional["label_form"] = np.full(N_ITEMS, rng.choice([0, 1, 255]), np.uint8)
    if rng.random() < 0.2:
        width = rng.choice([1, 7])
        optional["hidden_last"] = np.zeros((N_ITEMS, rng.choice([5, 4]), width), "<f2")
        optional["hidden_scale_last"] = np.full((N_ITEMS, 5), rng.choice([0, np.nan, 1, 3e38]), "<f4")
    target.unlink()
    attributes = read_attributes(source)
    if rng.random() < 0.3 and isinstance(altered := mutate_json(attributes, rng), dict):
        with suppress(ValueError, RecursionError):  # no writer gets these into a file
            attributes = json.loads(canonical_json(altered).encode())
    write_shard(target, _Unchecked(**columns, optional=optional), attributes=attributes)


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


def write_mutated_json(source: Path, target: Path, rng: random.Random) -> None:
    """Mutate the bytes, or the values with the hashes made again, as a stranger would."""
    if rng.random() < 0.2:
        target.write_bytes(mutate_bytes(source.read_bytes(), rng))
        return
    value = json.loads(source.read_text())
    for _ in range(rng.choice([1, 1, 1, 3])):
        value = mutate_json(value, rng)
    try:
        if isinstance(value, dict) and rng.random() < 0.9:
            for name, inputs in (("fingerprint", "fingerprint_inputs"), ("readout_id", "readout_inputs")):
                if inputs in value and rng.random() < 0.9:
                    value[name] = sha256_json(value[inputs])
            value = seal(value)
        target.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    except (ValueError, RecursionError):
        target.write_text("{}")


def spoil_rows(source: Path, target: Path, rng: random.Random) -> None:
    """Mutate a file of rows: its bytes, or single values of some."""
    data = source.read_bytes()
    if source.suffix == ".parquet" or rng.random() < 0.4:
        target.write_bytes(mutate_bytes(data, rng))
        return
    rows = json.loads((source.parent / "rows.json").read_text())
    for _ in range(rng.choice([1, 2, 6])):
        at = rng.randrange(N_ITEMS)
        row = rows[at] if isinstance(rows[at], dict) else {}
        rows[at] = {**row, rng.choice([*row, "new"]): rng.choice([*HOSTILE, *_SCORES])} if rng.random() < 0.9 else None
    target.write_bytes(_as_rows(rows, target.suffix))


def _as_rows(rows: list[Any], suffix: str) -> bytes:
    if suffix == ".json":
        return json.dumps(rows).encode()
    if suffix == ".jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    lines = [f"{_cell(row, 'id')},{_cell(row, 'response')},{_cell(row, 'score')},{_cell(row, 'judge')}" for row in rows]
    return "\n".join(["id,response,score,judge", *lines]).encode(errors="surrogatepass")


def _cell(row: Any, name: str) -> str:
    value = (row or {}).get(name)
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"'


def put_checksum_right(cache: Path, name: str) -> None:
    """Make the manifest of a cache vouch for a file as it is now."""
    manifest = json.loads((cache / "manifest.json").read_text())
    entry = manifest["items"] if name == "items.parquet" else manifest["shards"][0]
    entry.update(sha256=sha256_file(cache / name), bytes=(cache / name).stat().st_size)
    (cache / "manifest.json").write_text(json.dumps(seal(manifest)))


def open_sound(seeds: Path) -> FeatureCache:
    """Return the cache that was not touched."""
    return FeatureCache.open(seeds / "cache")

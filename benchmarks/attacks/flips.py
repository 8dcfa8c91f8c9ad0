"""One flipped bit anywhere in a cache: reported with its file, by `lager cache verify` and by ordinary reading.

    python benchmarks/attacks/flips.py --flips 1000

The cache is one that `lager extract` writes with the bundled judge and items, hidden states included. Half of the
positions are drawn from all bits of the cache, which are mostly those of shards, half from a file drawn first.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.tools.verify import verify_cache


def make_cache(path: Path) -> None:
    """Extract the bundled items."""
    from lager.extract.extractor import extract_features

    demo = Path(str(files("lager.data").joinpath("demo")))
    extract_features(
        str(demo / "judge"),
        str(demo / "test.jsonl"),
        cache=path,
        shard_size=32,
        limit=96,
        features=["logits", "hidden"],
        quiet=True,
    )


def read_everything(path: Path) -> None:
    """Read a cache as `lager train` and `lager evaluate` do."""
    cache = FeatureCache.open(path)
    cache.readouts()
    for pooling in cache.poolings:
        cache.hidden(pooling)


def draw(paths: list[Path], rng: random.Random) -> tuple[Path, int]:
    """Return a file and a bit of it."""
    sizes = [path.stat().st_size for path in paths]
    path = rng.choices(paths, weights=sizes)[0] if rng.random() < 0.5 else rng.choice(paths)
    return path, rng.randrange(8 * path.stat().st_size)


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file; again, and it is as before."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def outcome(check: Callable[[], object], name: str) -> str:
    """Return whether a check raises an error that names the file."""
    try:
        check()
    except LagerError as error:
        return "reported with the file" if name in str(error) else "reported without the file"
    return "NOT NOTICED"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, counts, began = random.Random(options.seed), Counter[tuple[str, str, str]](), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        make_cache(cache)
        paths = sorted(path for path in cache.rglob("*") if path.is_file())
        print(", ".join(f"{path.relative_to(cache)} {path.stat().st_size}" for path in paths))
        if verify_cache(cache):
            raise SystemExit("the cache is not sound before anything is flipped")
        read_everything(cache)
        for _ in range(options.flips):
            path, bit = draw(paths, rng)
            name = path.relative_to(cache).as_posix()
            flip(path, bit)
            try:
                told = [fault.file for fault in verify_cache(cache)]
                found = "reported with the file" if told == [name] else f"reported as {told}" if told else "NOT NOTICED"
                counts[path.name, "verify", found] += 1
                counts[path.name, "reading", outcome(lambda: read_everything(cache), path.name)] += 1
            finally:
                flip(path, bit)
        read_everything(cache)
    for (name, how, found), count in sorted(counts.items()):
        print(f"{count:6}  {name:16} {how:8} {found}")
    missed = sum(count for (_, _, found), count in counts.items() if found != "reported with the file")
    print(f"{options.flips} flipped bits in {time.monotonic() - began:.0f} s, {missed} not reported with their file")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())

"""Training and evaluating on a cache that is larger than memory: time and peak memory of the commands.

    python benchmarks/large.py --items 10000000 --folder /tmp/large      # makes the cache unless it is there

`large_cache.py` makes the cache. The commands run as processes of their own; their peak is the largest resident set
that the kernel saw, libraries included. The folder is left for another run.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from large_cache import make_cache


def run(what: str, *arguments: str | Path) -> None:
    """Run a `lager` command and print its time and peak memory."""
    start = time.perf_counter()
    code = f"from lager.cli import main; main({list(map(str, arguments))!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    print(f"  {what:<60} {seconds:8.1f} s  {used.ru_maxrss / 2**20:6.2f} GiB", flush=True)
    if status:
        raise SystemExit(f"lager {arguments[0]} failed: {output[-2000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--shard-size", type=int, default=512)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    cache, aggregator = options.folder / "cache", options.folder / f"aggregator-{os.getpid()}.json"
    if not cache.exists():
        start = time.perf_counter()
        make_cache(cache, options.items, options.shard_size)
        print(f"  {'(making the cache)':<60} {time.perf_counter() - start:8.1f} s")
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    print(f"{options.items:,} items, 33 x 5 read-outs, shards of {options.shard_size}: {size / 2**30:.1f} GiB on disk")
    run("train lager-tuned", "train", cache, "--out", aggregator)
    untrained = [part for name in ("e-score", "lager", "prob", "vscore") for part in ("--strategy", name)]
    run(
        "evaluate: five strategies, no intervals",
        "evaluate",
        cache,
        "--resamples",
        "0",
        "--aggregator",
        aggregator,
        *untrained,
    )
    aggregator.unlink()


if __name__ == "__main__":
    main()

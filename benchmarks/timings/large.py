"""Training and evaluating on a cache that is larger than memory: time and peak memory of the commands.

    python benchmarks/timings/large.py --items 10000000 --folder /tmp/large      # makes the cache unless it is there

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

STRATEGIES = (
    "vscore", "e-score", "lager", "lager-tuned", "lager-max", "lager-tuned-max", "prob", "prob-tuned", "prob-max",
    "prob-tuned-max",
)  # fmt: skip
COMMAND = """
import sys, time
from lager.cli import main
try:
    main(sys.argv[1:])
finally:
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("used", time.process_time(), peak, file=sys.stderr)
"""


def run(what: str, *arguments: str | Path) -> None:
    """Run a `lager` command and print its time, its processor's time and its peak memory."""
    start = time.perf_counter()
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"lager {arguments[0]} failed: {done.stderr[-2000:]}")
    processor, peak = map(float, done.stderr.rpartition("used")[2].split()[:2])
    print(f"  {what:<44} {seconds:8.1f} s  (processor {processor:7.1f} s)  {peak / 2**20:6.2f} GiB", flush=True)


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
        print(f"  {'(making the cache)':<44} {time.perf_counter() - start:8.1f} s")
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    print(f"{options.items:,} items, 33 x 5 read-outs, shards of {options.shard_size}: {size / 2**30:.1f} GiB on disk")
    run("train lager-tuned", "train", cache, "--out", aggregator)
    names = [part for name in STRATEGIES for part in ("--strategy", name)]
    run("evaluate ten strategies", "evaluate", cache, "--aggregator", aggregator, "--resamples", "0", *names)
    aggregator.unlink()


if __name__ == "__main__":
    main()

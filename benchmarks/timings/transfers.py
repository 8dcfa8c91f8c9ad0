"""Kill pushes and pulls at random moments, run them again, and count what came of it.

    python benchmarks/timings/transfers.py --kills 50

The cache lies on a web server on loopback that knows ranges and is slow enough for every moment to be hit; pushes go to
a folder. A kill is SIGKILL. After each one nothing that is not complete may count as a cache, and the same command must
finish it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.tools.verify import verify_cache
from support.caches import make_cache
from support.web_server import web_server

_COMMAND = [sys.executable, "-c", "from lager.cli import main; main()", "cache"]


def killed(command: list[str], begun: Callable[[], bool], *, after: float) -> bool:
    """Run a command, kill it so long after it began to write; return whether it was still running then."""
    process = subprocess.Popen([*_COMMAND, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not begun() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(after)
    running = process.poll() is None
    process.kill()
    process.wait()
    return running


def finished(command: list[str]) -> None:
    """Run a command to its end."""
    subprocess.run([*_COMMAND, *command], check=True, capture_output=True)


def state(folder: Path, whole: FeatureCache) -> str:
    """Return "nothing" where there is no cache, "complete" for the right one, else what is wrong."""
    try:
        cache = FeatureCache.open(folder)
    except LagerError as error:
        return "nothing" if "is not a feature cache" in str(error) else f"WRONG: {error}"
    faults = verify_cache(folder)
    same = cache.content_hash == whole.content_hash
    return "complete" if same and not faults else f"WRONG: {faults[:1]}, same content: {same}"


def pulls(whole: FeatureCache, folder: Path, *, kills: int, rng: random.Random) -> Counter[str]:
    """Kill pulls from a web server."""
    counts: Counter[str] = Counter()
    size = sum(path.stat().st_size for path in whole.path.rglob("*") if path.is_file())
    with web_server(whole.path) as server:
        server.pause = 0.02
        start = time.monotonic()
        finished(["pull", server.url, str(folder / "first"), "--jobs", "2"])
        lasts = time.monotonic() - start
        for i in range(kills):
            target = folder / f"pulled{i}"
            command = ["pull", server.url, str(target), "--jobs", "2"]
            server.requests.clear()
            server.sent = 0
            running = killed(command, lambda: len(server.requests) > 1, after=rng.uniform(0, 0.7 * lasts))
            counts["killed" if running else "had ended before"] += 1
            counts[f"after the kill: {state(target, whole)}"] += 1
            finished(command)
            counts[f"after the second run: {state(target, whole)}"] += 1
            counts["bytes sent"] += server.sent
            counts["bytes of the cache"] += size
            shutil.rmtree(target)
    return counts


def pushes(whole: FeatureCache, folder: Path, *, kills: int, rng: random.Random) -> Counter[str]:
    """Kill pushes into a folder."""
    counts: Counter[str] = Counter()
    start = time.monotonic()
    finished(["push", str(whole.path), str(folder / "first"), "--jobs", "2"])
    lasts = time.monotonic() - start
    for i in range(kills):
        target = folder / f"pushed{i}"
        command = ["push", str(whole.path), str(target), "--jobs", "2"]
        running = killed(command, target.exists, after=rng.uniform(0, 0.3 * lasts))
        counts["killed" if running else "had ended before"] += 1
        counts[f"after the kill: {state(target, whole)}"] += 1
        finished(command)
        counts[f"after the second run: {state(target, whole)}"] += 1
        shutil.rmtree(target)
    return counts


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of pulls, and as many of pushes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole = make_cache(Path(scratch) / "cache", n=4000, shard_size=250)
        (whole.path / "run.json").unlink()
        for name, run in (("pull", pulls), ("push", pushes)):
            for what, count in sorted(run(whole, Path(scratch), kills=options.kills, rng=rng).items()):
                print(f"{name}: {what}: {count}", flush=True)
            shutil.rmtree(Path(scratch) / "first")


if __name__ == "__main__":
    main()

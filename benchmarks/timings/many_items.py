"""What memory and time an extraction needs at different numbers of items, with a judge so small that it hardly counts.

    python benchmarks/timings/many_items.py --items 10000 1000000 --format parquet

Each run is a process of its own: items are opened and looked through, planned, read, written and finalised. The judge
is a Llama of one block, 16 wide, with random weights and the demo's tokenizer: what grows with the number of items
would show. Peak memory is `VmHWM`, the interpreter and all libraries included.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "answers",
    "with",
    "a",
    "single",
    "score",
]
TEXT = "the quick brown fox jumps over the lazy dog and answers with a single score"
BLOCK = 10_000


def write_items(path: Path, n: int) -> None:
    """Write prompts of 20 to 40 words, labelled by three annotators each, a block at a time."""
    import polars as pl

    parts = [path.with_name(f"part{start}.parquet") for start in range(0, n, BLOCK)]
    for part, start in zip(parts, range(0, n, BLOCK), strict=True):
        pl.DataFrame(list(rows(start, min(start + BLOCK, n)))).write_parquet(part)
    scan = pl.scan_parquet(parts)
    scan.sink_parquet(path) if path.suffix == ".parquet" else scan.sink_ndjson(path)
    for part in parts:
        part.unlink()


def rows(start: int, stop: int) -> Iterator[dict[str, object]]:
    import random

    rng = random.Random(start)
    for i in range(start, stop):
        text = " ".join(rng.choices(TEXT.split(), k=rng.randrange(20, 40)))
        scores = [float(rng.randrange(1, 6)) for _ in range(3)]
        yield {"id": f"item-{i:09d}", "prompt": text, "score": scores, "group": f"g{i % 8}", "cluster": f"c{i // 4}"}


def save_judge(folder: Path) -> None:
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(files("lager") / "data" / "demo" / "judge"))
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=512, initializer_range=0.5,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def extract(items: Path, judge: Path, cache: Path) -> dict[str, object]:
    """Run one extraction in this process."""
    from lager.data.cache.manifest import read_run
    from lager.extract.engines.launch import run_extraction

    start = time.perf_counter()
    with contextlib.suppress(KeyboardInterrupt):  # after the first shards
        run_extraction(judge, items, cache=cache, device="cpu", batch_tokens=1 << 15)
    n = int(len(list((cache / "shards").iterdir())) * read_run(cache)["shard_size"])
    return {"read": n, "seconds": time.perf_counter() - start, "peak": peak_bytes()}


def stop_after(n_shards: int) -> None:
    """Interrupt extractions when they have read some shards."""
    from lager.data.run.cache_writer import CacheWriter

    write, count = CacheWriter.write, [0]

    def counted(*args: object, **options: object) -> None:
        write(*args, **options)
        count[0] += 1
        if count[0] == n_shards:
            raise KeyboardInterrupt

    CacheWriter.write = counted


def peak_bytes() -> int:
    """Return this process's largest resident memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no VmHWM in /proc/self/status: peak memory is measured on Linux only")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--format", choices=["parquet", "jsonl"], default="parquet")
    parser.add_argument("--shards", type=int, help="stop after so many; all, and the manifest, when left out")
    parser.add_argument("--job", nargs=3, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        if options.shards:
            stop_after(options.shards)
        print(json.dumps(extract(*options.job)))
        return
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{options.format}; threads: {threads}; load {os.getloadavg()[0]:.1f}")
    print(f"{'items':>10}{'read':>10}{'peak MiB':>10}{'seconds':>10}")
    for n in options.items:
        folder = Path(tempfile.mkdtemp())
        try:
            save_judge(folder / "judge")
            write_items(folder / f"items.{options.format}", n)
            job = [str(folder / name) for name in (f"items.{options.format}", "judge", "cache")]
            command = [sys.executable, __file__, "--job", *job]
            command += ["--shards", str(options.shards)] if options.shards else []
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result = json.loads(done.stdout.splitlines()[-1])
        finally:
            shutil.rmtree(folder)
        print(f"{n:10,}{result['read']:10,}{result['peak'] / 2**20:10.0f}{result['seconds']:10.0f}", flush=True)


if __name__ == "__main__":
    main()

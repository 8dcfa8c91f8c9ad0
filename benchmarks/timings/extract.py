"""How fast stage 1 reads, against the model's bare forward pass and against usual ways to get hidden states.

    python benchmarks/timings/extract.py --summeval summeval.jsonl   # 135M Llama shape, SummEval with the article, CPU
    python benchmarks/timings/extract.py --shape 8b --device cuda    # 8B Llama shape in bf16, prompts of 1,024 tokens

Weights are random: time and memory do not depend on them. Each contender runs in a process of its own, which builds
the model, warms up and is timed. The first three take turns, forwards and backwards, and the best of their rounds
counts; the last two run once. Without --summeval the
token ids are made up, with a tree of about the same shape. Set OMP_NUM_THREADS to the cores that should count.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from extract_ways import ONCE, RELEASED_ITEMS, SHAPES, WAYS, build_model, read, waiting

SUMMARIES, CRITERIA = 16, 4


def prompts_of(options: argparse.Namespace) -> list[list[int]]:
    return summeval_prompts(options) if options.summeval else made_up_prompts(options)


def summeval_prompts(options: argparse.Namespace) -> list[list[int]]:
    """As the command renders them; a BPE trained on the file, the same one each time."""
    from lager.data.open_items import load_items
    from lager.data.templates.template import load_template
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    rows = [json.loads(line) for line in Path(options.summeval).read_text("utf-8").splitlines()]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet, size = pre_tokenizers.ByteLevel.alphabet(), SHAPES[options.shape]["vocab_size"]
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([row[name] for row in rows for name in ("article", "summary")], trainer)
    items = load_items(f"benchmark:summeval={options.summeval}").take(range(options.articles * SUMMARIES * CRITERIA))
    template = load_template("direct")
    return [tokenizer.encode(template.render(fields, scale=items.scale)).ids for fields in items.fields]


def made_up_prompts(options: argparse.Namespace) -> list[list[int]]:
    import numpy as np

    rng, size = np.random.default_rng(0), SHAPES[options.shape]["vocab_size"]

    def text(low: int, high: int) -> list[int]:
        return rng.integers(100, size, rng.integers(low, high)).tolist()

    if options.tokens:
        return [text(options.tokens, options.tokens + 1) for _ in range(options.articles * SUMMARIES * CRITERIA)]
    intro, ends = text(20, 21), [text(40, 60) for _ in range(CRITERIA)]
    articles = [intro + text(400, 700) for _ in range(options.articles)]
    texts = [article + text(50, 100) for article in articles for _ in range(SUMMARIES)]
    return [text + end for text in texts for end in ends]


def contend(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Time one way in this process."""
    import numpy as np
    import torch

    prompts = [np.array(ids, dtype=np.int32) for ids in json.loads(Path(options.prompts).read_text())]
    prompts = prompts[:RELEASED_ITEMS] if way == "released" else prompts
    (model, parts), wait = build_model(options), waiting(options)
    read(way, model, parts, prompts if options.device.startswith("cuda") else [prompts[0][:64]], options)
    wait()
    start, processor = time.perf_counter(), time.process_time()
    read(way, model, parts, prompts, options)
    wait()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    peak = torch.cuda.max_memory_allocated() if options.device.startswith("cuda") else peak_bytes()
    return {"items_per_s": len(prompts) / seconds, "processor": processor / len(prompts), "peak": peak / 2**20}


def overhead(options: argparse.Namespace) -> float:
    """Return the time of the bare forward over ours without sharing, taking turns on each batch in one process.

    On a CPU it is processor time, which other work on the machine changes less than the clock's.
    """
    import numpy as np
    from lager.extract.readout.batches import plan_batches

    prompts = [np.array(ids, dtype=np.int32) for ids in json.loads(Path(options.prompts).read_text())]
    (model, parts), wait = build_model(options), waiting(options)
    clock = time.perf_counter if options.device.startswith("cuda") else time.process_time
    seconds = {"bare": 0.0, "plain": 0.0}
    batches = plan_batches([len(p) for p in prompts], batch_tokens=options.batch_tokens)
    for number, rows in enumerate([batches[-1], *batches]):
        for way in sorted(seconds, reverse=number % 2 == 0):
            wait()
            start = clock()
            read(way, model, parts, [prompts[row] for row in rows], options)
            wait()
            seconds[way] += (clock() - start) * (number > 0)  # the first warms up
    return seconds["bare"] / seconds["plain"]


def peak_bytes() -> int:
    """Return this process's largest resident memory; a child may inherit its parent's by `getrusage`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no VmHWM in /proc/self/status: peak memory is measured on Linux only")


def matmul_peak(options: argparse.Namespace) -> float:
    """Return the FLOP/s of large matrix products in the dtype, on a CUDA device."""
    import torch

    size, best = 8192, 0.0
    a = torch.randn(size, size, device=options.device, dtype=getattr(torch, options.dtype))
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            a @ a
        torch.cuda.synchronize()
        best = max(best, 20 * size**3 / (time.perf_counter() - start))
    return best


def flops_per_item(options: argparse.Namespace, lengths: list[int]) -> float:
    """Return the matrix-product FLOPs of the blocks for a prompt: weights, and causal attention."""
    s = SHAPES[options.shape]
    d, heads, kv = s["hidden_size"], s["num_attention_heads"], s["num_key_value_heads"]
    block = d * d * (2 + 2 * kv / heads) + 3 * d * s["intermediate_size"]
    total = sum(s["num_hidden_layers"] * (2 * block * n + 2 * d * n * n) for n in lengths)
    return total / len(lengths)


def child(job: str, options: argparse.Namespace) -> str:
    """Run one job in a process of its own and return the last line it prints."""
    done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--job", job, "--prompts", options.prompts],
                          check=True, stdout=subprocess.PIPE, text=True)  # fmt: skip
    return done.stdout.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summeval", help="SummEval file; made-up token ids without it")
    parser.add_argument("--tokens", type=int, help="instead, prompts of so many tokens that share nothing")
    parser.add_argument("--articles", type=int, default=2, help=f"of {SUMMARIES} summaries by {CRITERIA} criteria each")
    parser.add_argument("--shape", choices=SHAPES, default="135m")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", help="bfloat16 for 8b, float32 for the others, when left out")
    parser.add_argument("--attn", default="sdpa", help="attention implementation")
    parser.add_argument("--compile", action="store_true", help="torch.compile the decoder")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ways", default=",".join(WAYS), help=f"of {', '.join(WAYS)}")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--prompts", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.dtype = options.dtype or ("bfloat16" if options.shape == "8b" else "float32")
    if options.shape == "8b" and not options.summeval:
        options.tokens = options.tokens or 1024
    if options.job:
        jobs = {"prepare": lambda: Path(options.prompts).write_text(json.dumps(prompts_of(options))),
                "peak": lambda: matmul_peak(options), "overhead": lambda: overhead(options)}  # fmt: skip
        print(json.dumps(jobs.get(options.job, lambda: contend(options.job, options))()))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.prompts = str(Path(folder) / "prompts.json")
        child("prepare", options)
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Run all contenders, forwards and backwards in turn, and print the table."""
    prompts = json.loads(Path(options.prompts).read_text())
    lengths = [len(p) for p in prompts]
    unique = sum(lengths) if options.tokens else len({tuple(p[:n]) for p in prompts for n in range(1, len(p) + 1)})
    threads, load = os.environ.get("OMP_NUM_THREADS", "all"), os.getloadavg()[0]
    how = f"{options.attn}{' compiled' * options.compile}; threads: {threads}; load {load:.1f}"
    print(f"{options.shape} {options.dtype} on {options.device}, {how}")
    print(f"{len(prompts)} prompts, {sum(lengths):,} tokens, {unique:,} of them different after sharing")
    peak_flops = float(child("peak", options)) if options.device.startswith("cuda") else 0.0
    ways = [way for way in WAYS if way in options.ways.split(",")]
    best: dict[str, dict[str, float]] = {}
    for round_ in range(options.rounds):
        turn = ways if round_ == 0 else [way for way in ways if way not in ONCE]
        for way in turn[:: -1 if round_ % 2 else 1]:
            result = json.loads(child(way, options))
            print(f"round {round_ + 1}: {way} {result['items_per_s']:.3f} items/s, {result['peak']:.0f} MiB; load "
                  f"{os.getloadavg()[0]:.1f}", file=sys.stderr)  # fmt: skip
            old = best.get(way, result)
            best[way] = {"items_per_s": max(old["items_per_s"], result["items_per_s"]),
                         "processor": min(old["processor"], result["processor"]),
                         "peak": min(old["peak"], result["peak"])}  # fmt: skip
    ratio = float(child("overhead", options)) if {"plain", "bare"} <= best.keys() else None
    base = best.get("bare", best[ways[0]])
    flops = flops_per_item(options, lengths)
    print(
        f"{'':60}{'items/s':>10}{'x bare':>9}{'CPU s/item':>12}{'MiB':>9}{'x bare':>9}{'MFU' if peak_flops else '':>7}"
    )
    for way in ways:
        speed, peak = best[way]["items_per_s"], best[way]["peak"]
        used = f"{speed * flops / peak_flops:7.1%}" if peak_flops and way in ("plain", "bare") else ""
        line = f"{WAYS[way]:60}{speed:10.3f}{speed / base['items_per_s']:9.3f}{best[way]['processor']:12.3f}"
        print(f"{line}{peak:9.0f}{peak / base['peak']:9.3f}{used}")
    if ratio is not None:
        print(f"without sharing, batch by batch in turn with the bare forward: {ratio:.3f} of its speed")
    if {"shared", "released"} <= best.keys():
        times = best["shared"]["items_per_s"] / best["released"]["items_per_s"]
        print(f"ours is {times:.1f} times as fast as the released code's way")


if __name__ == "__main__":
    main()

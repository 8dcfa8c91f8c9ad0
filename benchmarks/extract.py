"""How fast stage 1 reads, against the model's bare forward pass and against usual ways to get hidden states.

    python benchmarks/extract.py --summeval summeval.jsonl      # 135M Llama shape, SummEval with the article, CPU
    python benchmarks/extract.py --shape 8b --device cuda       # 8B Llama shape in bf16, prompts of 1,024 tokens

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

SHAPES = {
    "tiny": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
             "intermediate_size": 192, "vocab_size": 49152},
    "135m": {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
             "intermediate_size": 1536, "vocab_size": 49152, "tie_word_embeddings": True},
    "8b": {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
           "intermediate_size": 14336, "vocab_size": 128256},
}  # fmt: skip
WAYS = {
    "shared": "ours",
    "plain": "ours, without sharing",
    "bare": "bare decoder forward, same batches as without sharing",
    "hidden": "output_hidden_states, batches of 4 padded to the longest",
    "released": "released code's way: padded to 2,048, 10 tokens generated",
}
ONCE = ("hidden", "released")
SUMMARIES, CRITERIA = 16, 4
LABELS = (16, 17, 18, 19, 20)
RELEASED_ITEMS, RELEASED_WIDTH, RELEASED_NEW = 8, 2048, 10


def prompts_of(options: argparse.Namespace) -> list[list[int]]:
    return summeval_prompts(options) if options.summeval else made_up_prompts(options)


def summeval_prompts(options: argparse.Namespace) -> list[list[int]]:
    """As the command renders them; a BPE trained on the file, the same one each time."""
    from lager.data.items import load_items
    from lager.data.templates import load_template
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


def build_model(options: argparse.Namespace):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**SHAPES[options.shape], max_position_embeddings=8192, attn_implementation=options.attn)
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, options.dtype))
    with torch.device(options.device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = None  # all tokens are generated
    model.generation_config.pad_token_id = 0
    if options.compile:
        model.model.compile(dynamic=True)
    return model.eval().requires_grad_(False)


def read(way: str, model, prompts, options: argparse.Namespace) -> None:
    """Read all prompts in one of the ways."""
    import torch
    from lager.extract.batches import plan_batches
    from lager.extract.parts import find_parts
    from lager.extract.readout import read_steps
    from lager.extract.steps import plan_steps

    if way in ("shared", "plain"):
        steps = plan_steps(prompts, batch_tokens=options.batch_tokens, share_prefixes=way == "shared")
        for _ in read_steps(find_parts(model), prompts, steps, LABELS):
            pass
        return
    with torch.inference_mode():
        if way == "bare":
            for rows in plan_batches([len(p) for p in prompts], batch_tokens=options.batch_tokens):
                ids, _ = padded([prompts[row] for row in rows], model.device)
                model.model(input_ids=ids, use_cache=False)
        for start in range(0, len(prompts) if way in ("hidden", "released") else 0, 4):
            batch = prompts[start : start + 4]
            with_hidden_states(model, batch) if way == "hidden" else as_released(model, batch)


def padded(batch, device, *, left: bool = False, width: int = 0):
    """Return token ids and attention mask."""
    import torch

    width = max(width, *(len(p) for p in batch))
    ids, mask = torch.zeros(2, len(batch), width, dtype=torch.long)
    for row, prompt in enumerate(batch):
        place = slice(width - len(prompt), width) if left else slice(0, len(prompt))
        ids[row, place], mask[row, place] = torch.tensor(prompt, dtype=torch.long), 1
    return ids.to(device), mask.to(device)


def with_hidden_states(model, batch):
    """All positions of all layers, then the last ones times the score tokens' rows; no whole head."""
    import torch

    ids, mask = padded(batch, model.device)
    hidden = model.model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False).hidden_states
    last = mask.sum(1) - 1
    states = torch.stack([layer[torch.arange(len(batch)), last] for layer in hidden], 1)
    return (states @ model.lm_head.weight[list(LABELS)].T).float().cpu()


def as_released(model, batch):
    """Generation with all hidden states kept; then the whole head on each layer at the last step."""
    import torch

    ids, mask = padded(batch, model.device, left=True, width=RELEASED_WIDTH)
    made = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=RELEASED_NEW, do_sample=False, output_hidden_states=True,
        return_dict_in_generate=True,
    )  # fmt: skip
    return torch.stack([model.lm_head(layer[:, -1]) for layer in made.hidden_states[-1]], 1)[..., list(LABELS)].cpu()


def contend(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Time one way in this process."""
    import numpy as np
    import torch

    prompts = [np.array(ids, dtype=np.int32) for ids in json.loads(Path(options.prompts).read_text())]
    prompts = prompts[:RELEASED_ITEMS] if way == "released" else prompts
    model = build_model(options)
    wait = torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None
    read(way, model, prompts if wait is torch.cuda.synchronize else [prompts[0][:64]], options)
    wait()
    start = time.perf_counter()
    read(way, model, prompts, options)
    wait()
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() if options.device.startswith("cuda") else peak_bytes()
    return {"items_per_s": len(prompts) / seconds, "peak": peak / 2**20}


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
                "peak": lambda: matmul_peak(options)}  # fmt: skip
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
            old = best.get(way, {"items_per_s": 0.0, "peak": float("inf")})
            best[way] = {"items_per_s": max(old["items_per_s"], result["items_per_s"]),
                         "peak": min(old["peak"], result["peak"])}  # fmt: skip
    base = best.get("bare", best[ways[0]])
    flops = flops_per_item(options, lengths)
    print(f"{'':60}{'items/s':>10}{'x bare':>9}{'MiB':>9}{'x bare':>9}{'MFU' if peak_flops else '':>7}")
    for way in ways:
        speed, peak = best[way]["items_per_s"], best[way]["peak"]
        used = f"{speed * flops / peak_flops:7.1%}" if peak_flops and way in ("plain", "bare") else ""
        print(
            f"{WAYS[way]:60}{speed:10.3f}{speed / base['items_per_s']:9.3f}{peak:9.0f}{peak / base['peak']:9.3f}{used}"
        )
    if {"shared", "released"} <= best.keys():
        times = best["shared"]["items_per_s"] / best["released"]["items_per_s"]
        print(f"ours is {times:.1f} times as fast as the released code's way")


if __name__ == "__main__":
    main()

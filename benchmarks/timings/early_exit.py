"""What the first blocks alone cost against the whole model: time of reading, memory, and that scores are the same.

    python benchmarks/timings/early_exit.py --summeval summeval.jsonl --blocks 15      # 135M Llama shape, CPU

A checkpoint with random weights is written and read back, so that loading is what it is for a user. Each of the two is
loaded in a process of its own for its memory; the times are of both in one process, in turn on each batch. On a CPU it
is processor time, which other work on the machine changes less than the clock's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from extract_ways import LABELS, SHAPES, build_model

from extract import peak_bytes, prompts_of


def write_checkpoint(options: argparse.Namespace) -> None:
    """Write the model with a small tokenizer: nothing is tokenised here."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model, _ = build_model(options)
    model.save_pretrained(options.checkpoint)
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(options.checkpoint)


def load(options: argparse.Namespace, blocks: int | None):
    from lager.extract.model.judge import load_judge
    from lager.extract.options.groups import LoadOptions

    return load_judge(options.checkpoint, LoadOptions(device=options.device), first_blocks=blocks)


def read(judge, prompts):
    from lager.extract.readout.readout import read_batch

    return read_batch(judge.parts, prompts, LABELS)


def memory(options: argparse.Namespace, prompts: list[np.ndarray], blocks: int | None) -> dict[str, float]:
    """Load, read one batch, and return weights and peak in MiB."""
    judge = load(options, blocks)
    read(judge, prompts[:2])
    weights = sum(p.numel() * p.element_size() for p in judge.model.parameters())
    return {"weights": weights / 2**20, "peak": peak_bytes() / 2**20}


def compare(options: argparse.Namespace, prompts: list[np.ndarray]) -> dict[str, float]:
    """Time both on the same batches, and compare the scores of the uniform mean of the entries that both have."""
    from lager.extract.readout.batches import plan_batches

    judges = {"whole": load(options, None), "first": load(options, options.blocks)}
    clock = time.perf_counter if options.device.startswith("cuda") else time.process_time
    seconds, worst = dict.fromkeys(judges, 0.0), 0.0
    batches = plan_batches([len(p) for p in prompts], batch_tokens=options.batch_tokens)
    for number, rows in enumerate([batches[-1], *batches]):
        scores = {}
        for way in sorted(judges, reverse=number % 2 == 0):
            start = clock()
            logits = read(judges[way], [prompts[row] for row in rows]).logits[:, : options.blocks + 1]
            seconds[way] += (clock() - start) * (number > 0)  # the first warms up
            mixed = np.exp(logits.mean(axis=1, dtype=np.float64))
            scores[way] = (mixed / mixed.sum(axis=1, keepdims=True)) @ np.arange(1, 6)
        worst = max(worst, float(np.abs(scores["whole"] - scores["first"]).max()))
    return {**seconds, "difference": worst}


def child(job: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--job", job, "--checkpoint", options.checkpoint,
               "--prompts", options.prompts]  # fmt: skip
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summeval", help="SummEval file; made-up token ids without it")
    parser.add_argument("--articles", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=15, help="how many of the first blocks are run")
    parser.add_argument("--shape", choices=SHAPES, default="135m")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    for name in ("--job", "--checkpoint", "--prompts"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.tokens, options.attn, options.compile, options.dtype = None, "sdpa", False, "float32"
    jobs = {
        "write": lambda p: write_checkpoint(options) or {},
        "compare": lambda p: compare(options, p),
        "whole": lambda p: memory(options, p, None),
        "first": lambda p: memory(options, p, options.blocks),
    }
    if options.job:
        prompts = [np.array(ids, dtype=np.int32) for ids in json.loads(Path(options.prompts).read_text())]
        print(json.dumps(jobs[options.job](prompts)))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.checkpoint, options.prompts = str(Path(folder) / "model"), str(Path(folder) / "prompts.json")
        prompts = prompts_of(options)
        Path(options.prompts).write_text(json.dumps(prompts))
        child("write", options)
        total = SHAPES[options.shape]["num_hidden_layers"]
        print(
            f"{options.shape} on {options.device}: {len(prompts)} prompts, the first {options.blocks} of {total} blocks"
        )
        for way in ("whole", "first"):
            used = child(way, options)
            print(f"{way:8} weights {used['weights']:8.0f} MiB, peak of loading and reading {used['peak']:8.0f} MiB")
        result = child("compare", options)
        cut, saved = 1 - options.blocks / total, 1 - result["first"] / result["whole"]
        print(f"time {result['whole']:.1f} s and {result['first']:.1f} s: {saved:.3f} saved, {saved / cut:.2f} of the "
              f"share of blocks cut ({cut:.3f}); scores differ by at most {result['difference']:.1e}")  # fmt: skip


if __name__ == "__main__":
    main()

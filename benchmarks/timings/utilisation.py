"""Which part of the reading loop the device is in a forward pass: what rendering, tokenising and writing leave of it.

    python benchmarks/timings/utilisation.py --summeval summeval.jsonl     # 135M Llama shape on the CPU
    python benchmarks/timings/utilisation.py --shape 8b --device cuda      # 8B Llama shape in bf16

The judge has random weights and a BPE of the shape's size, trained on the items. An extraction runs as the
command does it; the loop is timed from asking for the first shard's plan until the last shard is written. Time in the
forward is that in the decoder: by the clock on a CPU, by events on the device's own clock on CUDA. The read-out's own
products and the self-check of the first batch count as not in it.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

import torch
from extract_ways import SHAPES


def make_judge(folder: Path, items: object, options: argparse.Namespace) -> object:
    from lager.extract.model.judge import load_judge
    from lager.extract.options.groups import LoadOptions
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    shape = SHAPES[options.shape]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=shape["vocab_size"] - 2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    bpe.train_from_iterator([fields[name] for fields in items.fields for name in ("source", "response")], trainer)
    PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<eos>", pad_token="<pad>").save_pretrained(folder)
    dtype = "bfloat16" if options.device.startswith("cuda") else "float32"
    torch.set_default_dtype(getattr(torch, dtype))
    with torch.device(options.device):
        LlamaForCausalLM(LlamaConfig(**shape, max_position_embeddings=8192)).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)
    return load_judge(folder, LoadOptions(dtype=dtype, device=options.device))


def make_items(options: argparse.Namespace) -> object:
    from lager.data.open_items import load_items

    if options.summeval:
        items = load_items(f"benchmark:summeval={options.summeval}")
    else:
        items = load_items("benchmark:summeval=" + made_up(options))
    return items.take(range(min(options.items, len(items))))


def made_up(options: argparse.Namespace) -> str:
    """Write a file in the layout of SummEval: 16 summaries of each article."""
    import json
    import random

    rng = random.Random(0)
    words = [rng.choice("bcdfglmnprst") + rng.choice("aeiou") + rng.choice("bdklmnrt") for _ in range(2000)]
    path = Path(options.folder) / "made-up.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for article in range(-(-options.items // 64)):
            source = " ".join(rng.choices(words, k=400))
            for writer in range(16):
                row = {"article_id": f"a{article}", "summary_id": f"w{writer}", "article": source,
                       "summary": " ".join(rng.choices(words, k=60))}  # fmt: skip
                scores = dict.fromkeys(("coherence", "fluency", "consistency", "relevance"), 3.0)
                file.write(json.dumps(row | scores) + "\n")
    return str(path)


class Clock:
    """Adds up the time in a module's forward, while it is on."""

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        self.cuda, self.on, self.spans = device.startswith("cuda"), False, []
        module.register_forward_pre_hook(lambda *_: self._mark(begin=True))
        module.register_forward_hook(lambda *_: self._mark(begin=False))

    def _mark(self, *, begin: bool) -> None:
        if not self.on:
            return
        now = torch.cuda.Event(enable_timing=True) if self.cuda else time.perf_counter()
        if self.cuda:
            now.record()
        self.spans.append([now]) if begin else self.spans[-1].append(now)

    def seconds(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
            return sum(begin.elapsed_time(end) for begin, end in self.spans) / 1000
        return sum(end - begin for begin, end in self.spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summeval", help="SummEval file; a made-up one without it")
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--shape", choices=SHAPES, default="135m")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shard-size", type=int, help="the command's own choice when left out")
    parser.add_argument("--no-prefix-sharing", action="store_true")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    options = parser.parse_args()
    options.folder = tempfile.mkdtemp()
    try:
        run(options)
    finally:
        shutil.rmtree(options.folder)


def run(options: argparse.Namespace) -> None:
    from lager.extract.extractor import extract_features
    from lager.extract.planning.plans_ahead import PlansAhead

    folder = Path(options.folder)
    items = make_items(options)
    judge = make_judge(folder / "judge", items, options)
    clock, loop = Clock(judge.parts.decoder, options.device), [0.0, 0.0]
    waited = 0.0

    class Timed(PlansAhead):
        """The loop runs inside this block; shards that only settle things are not asked for with their passes."""

        def __enter__(self) -> "Timed":
            clock.on, loop[0] = True, time.perf_counter()
            return self

        def get(self, shard: int) -> object:
            nonlocal waited
            start = time.perf_counter()
            planned = super().get(shard)
            waited += time.perf_counter() - start
            return planned

        def __exit__(self, *error: object) -> None:
            clock.on, loop[1] = False, time.perf_counter()
            super().__exit__(*error)

    from lager.extract.run import shard_run

    shard_run.PlansAhead = Timed
    extract_features(
        judge, items, cache=folder / "cache", shard_size=options.shard_size, batch_tokens=options.batch_tokens,
        share_prefixes=not options.no_prefix_sharing,
    )  # fmt: skip
    wall, inside = loop[1] - loop[0], clock.seconds()
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{options.shape} on {options.device}, {len(items)} items, threads: {threads}; load {os.getloadavg()[0]:.1f}")
    print(f"{len(items) / wall:.2f} items/s; loop {wall:.2f} s, in the forward {inside:.2f} s: {inside / wall:.1%}")
    print(f"waiting for plans {waited:.2f} s: {waited / wall:.1%}")


if __name__ == "__main__":
    main()

"""How much faster two workers are than one, each with one thread, on SummEval prompts and a 135M Llama shape.

    python benchmarks/workers.py --summeval summeval.jsonl

Each run is `lager extract` itself on a checkpoint with random weights. The time that counts is that of reading, from
the first shard's start to the last one's end, as the shards record it. The time of the whole command, in which each
process starts Python and loads the model, is printed too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from extract_ways import SHAPES
from lager.data.items import load_items
from lager.data.manifest import shard_name
from lager.data.run_status import written_shards
from lager.data.shards import read_attributes


def save_checkpoint(folder: Path, summeval: Path, shape: str) -> None:
    """Write a random model and a BPE tokenizer trained on the file."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SHAPES[shape], max_position_embeddings=8192)).save_pretrained(folder)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    rows = [json.loads(line) for line in summeval.read_text("utf-8").splitlines()]
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPES[shape]["vocab_size"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<pad>"], show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator([row[name] for row in rows for name in ("article", "summary")], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(folder)


def save_items(path: Path, summeval: Path, n: int) -> None:
    items = load_items(f"benchmark:summeval={summeval}").take(range(n))
    path.write_text("".join(json.dumps(fields) + "\n" for fields in items.fields))


def timed(folder: Path, name: str, workers: int) -> tuple[float, float]:
    """Return the seconds of reading and of the whole command."""
    cache = folder / name
    command = [sys.executable, "-c", "from lager.cli import main; main()", "extract", str(folder / "judge")]
    command += [str(folder / "items.jsonl"), "--cache", str(cache), "--device", "cpu", "--shard-size", "16"]
    start = time.perf_counter()
    subprocess.run([*command, "--workers", str(workers)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
                   stderr=subprocess.DEVNULL)  # fmt: skip
    whole = time.perf_counter() - start
    costs = [read_attributes(cache / shard_name(shard))["cost"] for shard in written_shards(cache)]
    begun = min(datetime.fromisoformat(cost["start"]) for cost in costs)
    return (max(datetime.fromisoformat(cost["end"]) for cost in costs) - begun).total_seconds(), whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--summeval", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="135m")
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(folder / "judge", options.summeval, options.shape)
        save_items(folder / "items.jsonl", options.summeval, options.items)
        seconds = {
            workers: [timed(folder, f"{workers}-{n}", workers) for n in range(options.rounds)] for workers in (1, 2)
        }
    best = {workers: [min(times) for times in zip(*runs, strict=True)] for workers, runs in seconds.items()}
    print(json.dumps({
        "load_of_the_machine": os.getloadavg()[0],
        "seconds_of_reading_and_of_the_command": seconds,
        "speed_up_of_reading": best[1][0] / best[2][0],
        "speed_up_of_the_command": best[1][1] / best[2][1],
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()

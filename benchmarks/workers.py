"""How much faster two workers are than one, each with one thread, on SummEval prompts and a 135M Llama shape.

    python benchmarks/workers.py --summeval summeval.jsonl

Each worker is `lager extract --rank --world-size` on a checkpoint with random weights. Two speed-ups of reading:

- by the clock: from the first shard's start to the last one's end, as the shards record it; true on an idle machine;
- by processor time: that of one worker over that of the busier one of two, both without what it takes to start and to
  load the model, which a run on the finished cache measures. What other work on the machine does to it is small.
"""

import argparse
import json
import os
import sys
import tempfile
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


def processor_seconds(folder: Path, name: str, n_workers: int) -> list[float]:
    """Run all workers of a cache at once and return the processor time of each."""
    command = [sys.executable, "-c", "from lager.cli import main; main()", "extract", str(folder / "judge")]
    command += [str(folder / "items.jsonl"), "--cache", str(folder / name), "--device", "cpu", "--shard-size", "16"]
    pids = [
        os.posix_spawn(
            sys.executable,
            [*command, "--rank", str(rank), "--world-size", str(n_workers)],
            {**os.environ, "OMP_NUM_THREADS": "1"},
            file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)],
        )
        for rank in range(n_workers)
    ]
    found = []
    for pid in pids:
        _, status, usage = os.wait4(pid, 0)
        assert status == 0, f"a worker ended with {status}"
        found.append(usage.ru_utime + usage.ru_stime)
    return found


def clock_seconds(cache: Path) -> float:
    """Return the time from the first shard's start to the last one's end."""
    costs = [read_attributes(cache / shard_name(shard))["cost"] for shard in written_shards(cache)]
    begun = min(datetime.fromisoformat(cost["start"]) for cost in costs)
    return (max(datetime.fromisoformat(cost["end"]) for cost in costs) - begun).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--summeval", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="135m")
    parser.add_argument("--items", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(folder / "judge", options.summeval, options.shape)
        save_items(folder / "items.jsonl", options.summeval, options.items)
        (one,), two = processor_seconds(folder, "one", 1), processor_seconds(folder, "two", 2)
        (start,) = processor_seconds(folder, "one", 1)  # it is complete by now
        clock = {name: clock_seconds(folder / name) for name in ("one", "two")}
    print(json.dumps({
        "load_of_the_machine": os.getloadavg()[0],
        "clock_seconds": clock,
        "speed_up_by_the_clock": clock["one"] / clock["two"],
        "processor_seconds": {"start": start, "one": one, "two": two},
        "speed_up_by_processor_time": (one - start) / (max(two) - start),
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()

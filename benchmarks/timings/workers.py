"""How much faster two workers are than one, each with one thread, on SummEval prompts and a 135M Llama shape.

    python benchmarks/timings/workers.py --summeval summeval.jsonl

Each worker is `lager extract --rank --world-size` on a checkpoint with random weights. Three speed-ups:

- of reading, by the clock: from the first shard's start to the last one's end, as the shards record it;
- of the whole command, by the clock: starting, loading, settling what holds for all, and finalising included;
- of reading, by processor time: that of one worker over that of the busier one of two, both without what it takes to
  start and to load the model, which a run on the finished cache measures. What other work on the machine does to it is
  small; the first two are true on an idle machine only.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from extract_ways import SHAPES
from lager.data.cache.manifest import shard_name
from lager.data.cache.shards import read_attributes
from lager.data.open_items import load_items
from lager.data.run.run_status import written_shards


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


def run_workers(folder: Path, name: str, n_workers: int) -> tuple[float, list[float]]:
    """Run all workers of a cache at once and return the time by the clock, and the processor time of each."""
    command = [sys.executable, "-c", "from lager.cli import main; main()", "extract", str(folder / "judge")]
    command += [str(folder / "items.jsonl"), "--cache", str(folder / name), "--device", "cpu", "--shard-size", "16"]
    start = time.monotonic()
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
    return time.monotonic() - start, found


def reading_seconds(cache: Path) -> tuple[float, float]:
    """Return the time from the first shard's start to the last one's end, and the sum of all shards' own times."""
    costs = [read_attributes(cache / shard_name(shard))["cost"] for shard in written_shards(cache)]
    begun = min(datetime.fromisoformat(cost["start"]) for cost in costs)
    ended = max(datetime.fromisoformat(cost["end"]) for cost in costs)
    return (ended - begun).total_seconds(), sum(cost["device_seconds"] for cost in costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--summeval", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="135m")
    parser.add_argument("--items", type=int, default=512)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(folder / "judge", options.summeval, options.shape)
        save_items(folder / "items.jsonl", options.summeval, options.items)
        whole_one, (one,) = run_workers(folder, "one", 1)
        whole_two, two = run_workers(folder, "two", 2)
        _, (start,) = run_workers(folder, "one", 1)  # it is complete by now
        (clock_one, sum_one), (clock_two, sum_two) = (reading_seconds(folder / name) for name in ("one", "two"))
    print(json.dumps({
        "load_of_the_machine": os.getloadavg()[0],
        "items": options.items,
        "clock_seconds_of_reading": [clock_one, clock_two],
        "sum_of_the_shards_seconds": [sum_one, sum_two],
        "clock_seconds_of_the_command": [whole_one, whole_two],
        "processor_seconds": {"start": start, "one": one, "two": two},
        "speed_up_of_reading": clock_one / clock_two,
        "speed_up_of_the_command": whole_one / whole_two,
        "speed_up_of_reading_by_processor_time": (one - start) / (max(two) - start),
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()

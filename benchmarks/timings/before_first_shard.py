"""What a run reads before its first shard, counted in tokens: no time is measured, so a busy machine changes nothing.

    python benchmarks/timings/before_first_shard.py JUDGE benchmark:summeval=summeval.jsonl --limit 6

Prints, in units of the mean prompt, what goes through the model in an extraction of so many items and in a dry run of
all of them.
"""

import argparse
import json
import tempfile
from pathlib import Path

from lager.extract.dry_run import dry_run
from lager.extract.extractor import extract_features
from lager.extract.model.judge import Judge, load_judge
from lager.extract.options.groups import ExtractOptions, LoadOptions


class TokenCount:
    """Counts the tokens that go through a judge's decoder while the context lasts."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.n = judge, 0

    def __enter__(self) -> "TokenCount":
        self.handle = self.judge.parts.decoder.register_forward_pre_hook(self.add, with_kwargs=True)
        return self

    def add(self, module, args, kwargs) -> None:
        self.n += kwargs["input_ids"].numel()

    def __exit__(self, *error: object) -> None:
        self.handle.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judge")
    parser.add_argument("items")
    parser.add_argument("--limit", type=int, default=6)
    options = parser.parse_args()
    judge = load_judge(options.judge, LoadOptions(device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        with TokenCount(judge) as run:
            cache = extract_features(judge, options.items, cache=Path(folder) / "cache", limit=options.limit)
        n_tokens = float(cache.n_tokens.mean())
        with TokenCount(judge) as dry:
            cost = dry_run(judge, options.items, cache=Path(folder) / "dry", options=ExtractOptions())
    reading = sum(run["computed_tokens"] for run in cache.manifest["provenance"]["runs"])
    print(
        json.dumps({
            "items": len(cache),
            "run_over_its_reading": round(run.n / reading, 2),
            "prompts_before_the_first_shard": round((run.n - reading) / n_tokens, 1),
            "prompts_of_a_dry_run": round(dry.n / (cost.tokens / cost.items), 1),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()

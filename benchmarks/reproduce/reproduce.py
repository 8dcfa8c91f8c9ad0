"""The paper's tables with our figures beside the published ones; docs/reproduce.md says how.

python benchmarks/reproduce/reproduce.py commands --work W  # print the commands
python benchmarks/reproduce/reproduce.py cost --work W      # what the extractions would cost, by lager's --dry-run
python benchmarks/reproduce/reproduce.py run --work W       # run those that are not done yet
python benchmarks/reproduce/reproduce.py tables --work W    # print the tables, as Markdown or, with --json, as JSON
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lager.cli import main as lager
from paper_tables import TABLES, Run, make_table, runs_of
from published import ABLATION

MODELS = {
    "Mistral-7B": "mistralai/Mistral-7B-Instruct-v0.3",
    "Llama-3.1-8B": "meta-llama/Llama-3.1-8B-Instruct",
    "InternLM3-8B": "internlm/internlm3-8b-instruct",
    "Qwen2.5-14B": "Qwen/Qwen2.5-14B-Instruct",
    "Mistral-Small-24B": "mistralai/Mistral-Small-24B-Instruct-2501",
    "Llama-3.3-70B": "meta-llama/Llama-3.3-70B-Instruct",
}
BENCHMARKS = {
    "flask": ("flask", ""),
    "helpsteer": ("helpsteer", "#test"),
    "biggen": ("biggen", ""),
    "eqbench": ("eqbench", "#1-9"),
    "selfaware": ("selfaware", ""),
    "tune": ("helpsteer", "#tune"),
}
HOW = {"direct": "generate", "reasoning": "reasoning"}


class Job(NamedTuple):
    """One command; what it leaves when it is done, and the file that takes what it prints."""

    arguments: list[str]
    done: Path
    printed: Path | None = None

    def __str__(self) -> str:
        """Return the line to type."""
        line = shlex.join(["lager", *self.arguments])
        if self.printed is None:
            return line
        folder, file = shlex.quote(str(self.printed.parent)), shlex.quote(str(self.printed))
        return f"mkdir -p {folder} && {line} > {file}"


class Plan(NamedTuple):
    """Where everything goes, and what is asked for."""

    work: Path
    data: Path | None
    models: dict[str, str]
    tables: Sequence[str]
    limit: int | None
    resamples: int
    extract: Sequence[str]

    def jobs(self) -> Iterator[Job]:
        """Yield the commands: for each model the tuning set and the weights, then each benchmark and its figures."""
        runs = dict.fromkeys(
            run for table in self.tables for run in runs_of(table, list(MODELS)) if run.model in self.models
        )
        for model in dict.fromkeys(run.model for run in runs):
            yield self._extract(Run(model, "tune", "direct"))
            aggregator = self.aggregator(model)
            tune = str(self.cache(Run(model, "tune", "direct")))
            yield Job(["train", tune, "--preset", "paper", "--out", str(aggregator)], aggregator)
            for run in runs:
                if run.model == model:
                    yield self._extract(run)
                    yield self._evaluate(run, tune)

    def cache(self, run: Run) -> Path:
        return self.work / "cache" / run.model / f"{run.benchmark}-{run.condition}"

    def aggregator(self, model: str) -> Path:
        return self.work / "aggregators" / f"{model}.json"

    def result(self, run: Run) -> Path:
        return self.work / "results" / run.model / f"{run.benchmark}-{run.condition}.json"

    def _extract(self, run: Run) -> Job:
        name, part = BENCHMARKS[run.benchmark]
        items = f"benchmark:{name}{'' if self.data is None else f'={self.data / name}'}{part}"
        cache = self.cache(run)
        condition = ["--condition", HOW[run.condition], "--score-rule", "last"]
        limit = [] if self.limit is None else ["--limit", str(self.limit)]
        arguments = ["extract", self.models[run.model], items, "--cache", str(cache), *condition, *limit, *self.extract]
        return Job(arguments, cache / "manifest.json")

    def _evaluate(self, run: Run, tune: str) -> Job:
        strategies = [word for name in ABLATION for word in ("--strategy", name)]
        # The range of scores that the threshold of F1 is a share of comes from the tuning set.
        train = ["--train", tune] if run.benchmark == "selfaware" else []
        arguments = [
            "evaluate", str(self.cache(run)), "--aggregator", str(self.aggregator(run.model)), *train, *strategies,
            "--level", "pooled", "--resamples", str(self.resamples), "--json",
        ]  # fmt: skip
        return Job(arguments, self.result(run), printed=self.result(run))


def run_jobs(plan: Plan) -> int:
    """Run what is not done yet; go on after a command that fails, and return how many did."""
    failed = []
    for job in plan.jobs():
        if job.done.exists():
            continue
        print(f"$ {job}", file=sys.stderr, flush=True)
        printed = io.StringIO()
        with contextlib.redirect_stdout(sys.stdout if job.printed is None else printed):
            status = _status(job.arguments)
        if status:
            failed.append(job)
        elif job.printed is not None:
            job.printed.parent.mkdir(parents=True, exist_ok=True)
            job.printed.write_text(printed.getvalue())
    for job in failed:
        print(f"failed: {job}", file=sys.stderr)
    return len(failed)


def _status(arguments: Sequence[str]) -> int:
    try:
        lager(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def costs(plan: Plan) -> dict[str, Any]:
    """Return what the dry run says of each extraction, by model and benchmark."""
    out: dict[str, Any] = {}
    for job in plan.jobs():
        if job.arguments[0] == "extract":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                status = _status([*job.arguments, "--dry-run", "--json"])
            out[str(job.done.parent.relative_to(plan.work / "cache"))] = (
                None if status else json.loads(printed.getvalue())
            )
    return out


class Figures:
    """Our figures, read once per result file."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._read: dict[Run, dict[str, Any]] = {}

    def find(self, run: Run, strategy: str, metric: str) -> float | None:
        """Return a figure, or None where it was not computed or is not defined."""
        path = self._plan.result(run)
        if run not in self._read:
            found = json.loads(path.read_text())["results"] if path.exists() else []
            self._read[run] = {one["strategy"]: one for one in found}
        row = self._read[run].get(strategy)
        return None if row is None else row[metric]["estimate"]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["commands", "cost", "run", "tables"])
    parser.add_argument("--work", type=Path, required=True, help="folder of caches, aggregators and results")
    parser.add_argument("--data", type=Path, help="folder with a folder per benchmark; fetched when left out")
    parser.add_argument("--model", action="append", metavar="NAME[=ID]", help="some of the models, or another place")
    parser.add_argument("--table", action="append", choices=TABLES, help="some of the tables")
    parser.add_argument("--limit", type=int, help="a seeded draw of so many items of each benchmark")
    parser.add_argument("--resamples", type=int, default=1000, help="for the intervals")
    parser.add_argument("--extract", default="", help="further options of lager extract, as one text")
    parser.add_argument("--json", action="store_true", help="print tables as JSON")
    return parser.parse_args(arguments)


def chosen_models(given: Sequence[str] | None) -> dict[str, str]:
    """Read NAME or NAME=ID; all models when none is given."""
    if given is None:
        return MODELS
    out = {}
    for text in given:
        name, _, place = text.partition("=")
        if name not in MODELS:
            raise SystemExit(f"unknown model {name!r}: choose from {', '.join(MODELS)}")
        out[name] = place or MODELS[name]
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    plan = Plan(
        options.work,
        options.data,
        chosen_models(options.model),
        options.table or TABLES,
        options.limit,
        options.resamples,
        shlex.split(options.extract),
    )
    if options.what == "commands":
        print("\n".join(map(str, plan.jobs())))
    elif options.what == "cost":
        print(json.dumps(costs(plan), indent=2))
    elif options.what == "run":
        return min(run_jobs(plan), 1)
    else:
        found = Figures(plan)
        tables = [make_table(table, found.find) for table in plan.tables]
        if options.json:
            print(json.dumps([table.as_json() for table in tables], indent=2))
        else:
            print("Ours, with the paper's figure in brackets.\n")
            print("\n\n".join(table.markdown() for table in tables))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

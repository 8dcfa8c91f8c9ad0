"""The command `lager extract`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..data.commands.summary import summarise
from .options.command_line import with_options
from .options.groups import ExtractOptions, WorkerOptions


@with_options()
def extract(
    model: Annotated[str, typer.Argument(help="Folder or hub id of a causal LM with safetensors weights.")],
    items: Annotated[str, typer.Argument(help="JSONL, JSON, CSV or Parquet file, or benchmark:NAME=PATH#PART.")],
    *,
    cache: Annotated[Path, typer.Option(help="Folder to write; one that was begun is continued.")],
    options: ExtractOptions,
    workers: WorkerOptions,
    only_estimate: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, after timing one batch; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Read judging prompts with a frozen LM, every layer in one pass, into a feature cache.

    Example: lager extract meta-llama/Llama-3.1-8B-Instruct items.jsonl --cache cache/items

    On 8 GPUs: lager extract MODEL items.jsonl --cache cache/items --workers 8

    As one of 4 workers on any machines: lager extract MODEL items.jsonl --cache cache/items --rank 2 --world-size 4

    As 8 jobs on Slurm: lager extract MODEL items.jsonl --cache cache/items --engine submitit --workers 8
    """
    from ..data.cache.feature_cache import FeatureCache
    from .dry_run import dry_run
    from .engines.launch import run_extraction

    if only_estimate:
        cost = dry_run(model, items, cache=cache, options=options)
        print(json.dumps(cost._asdict(), indent=2) if as_json else "\n".join(cost.lines()))
        return
    complete = run_extraction(model, items, cache=cache, options=options, workers=workers, wait=False)
    if as_json and complete:
        print(json.dumps(summarise(FeatureCache.open(cache)), indent=2, allow_nan=False))

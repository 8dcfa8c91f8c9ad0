"""The command `lager extract`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..data.commands.cache import summarise
from ..data.errors import LagerError
from ..data.files.json_text import parse_json
from .readout.batches import DEFAULT_BATCH_TOKENS


def extract(
    model: Annotated[str, typer.Argument(help="Folder or hub id of a causal LM with safetensors weights.")],
    items: Annotated[str, typer.Argument(help="JSONL, JSON, CSV or Parquet file, or benchmark:NAME=PATH#PART.")],
    *,
    cache: Annotated[Path, typer.Option(help="Folder to write; one that was begun is continued.")],
    template: Annotated[
        str | None,
        typer.Option(
            help="direct, reasoning, one for a task such as emotion, or a Jinja file; what suits items and condition."
        ),
    ] = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    answer_prefix: Annotated[str, typer.Option(help="Beginning of the judge's answer, such as 'Score: '.")] = "",
    chat_args: Annotated[
        str | None, typer.Option(help="Chat template arguments as JSON; default: no thinking, fixed date.")
    ] = None,
    condition: Annotated[
        str, typer.Option(help="direct, generate (up to 10 tokens) or reasoning (feedback, then the score).")
    ] = "direct",
    score_rule: Annotated[
        str | None, typer.Option(help="Which generated label is the score: marker (after 'score') or last.")
    ] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Longest generated text; 256, or 10.")] = None,
    scale: Annotated[
        str | None, typer.Option(help="1-5, or A=4,B=3,C=2; the items' own, else 1-5, when left out.")
    ] = None,
    human_range: Annotated[
        str | None, typer.Option(help="LO-HI of the human scores, mapped linearly onto the scale.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Columns, comma-separated, that name an item's group.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Column of the source text that items share.")] = None,
    truncate_field: Annotated[str | None, typer.Option(help="Field to cut before rendering.")] = None,
    max_field_tokens: Annotated[int | None, typer.Option(min=0, help="To how many tokens it is cut.")] = None,
    max_invalid: Annotated[float, typer.Option(help="Stop when more than this part fails.")] = 0.1,
    limit: Annotated[int | None, typer.Option(min=1, help="Read a random draw of so many items.")] = None,
    keep_text: Annotated[bool, typer.Option("--keep-text", help="Store prompts and generated text too.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Key the prompt hashes with a secret.")] = False,
    dtype: Annotated[str, typer.Option(help="auto (the checkpoint's), float32, bfloat16 or float16.")] = "auto",
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N, mps, or auto (all devices); the best when left out.")
    ] = None,
    attn: Annotated[str | None, typer.Option(help="Attention implementation, such as sdpa or eager.")] = None,
    quantize: Annotated[str | None, typer.Option(help="4bit or 8bit weights, with bitsandbytes.")] = None,
    revision: Annotated[str | None, typer.Option(help="Version on the hub.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the checkpoint.")
    ] = False,
    layers_path: Annotated[str | None, typer.Option(help="Module path of the blocks, if not found.")] = None,
    norm_path: Annotated[str | None, typer.Option(help="Module path of the final norm, if not found.")] = None,
    features: Annotated[str, typer.Option(help="logits, or logits,hidden for the hidden states too.")] = "logits",
    pooling: Annotated[
        str | None, typer.Option(help="Of the hidden states: any of mean,last,min,max; last when left out.")
    ] = None,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Padded tokens of a batch.")] = DEFAULT_BATCH_TOKENS,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Items of a shard file; by the number of items.")
    ] = None,
    share_prefixes: Annotated[
        bool,
        typer.Option("--prefix-sharing/--no-prefix-sharing", help="Compute what prompts share once, where it saves."),
    ] = True,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Each prompt by itself: no dependence on batches; slower.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the draw of --limit.")] = 42,
    engine: Annotated[
        str | None,
        typer.Option(help="Who starts several: local (one a GPU), ray (at RAY_ADDRESS), or submitit (Slurm jobs)."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="How many workers the engine starts.")] = None,
    rank: Annotated[
        int | None, typer.Option(help="This is one of several workers; torchrun and Slurm say so themselves.")
    ] = None,
    world_size: Annotated[int | None, typer.Option(help="How many workers there are.")] = None,
    slurm: Annotated[
        str | None, typer.Option(help="What each job of --engine submitit asks for, as JSON; 8 hours and a GPU.")
    ] = None,
    max_failures: Annotated[
        int, typer.Option(min=0, help="So many shards may fail before the run stops; the others go on.")
    ] = 0,
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

    options: dict[str, Any] = dict(
        template=template,
        system=system,
        answer_prefix=answer_prefix,
        chat_args=parse_chat_args(chat_args),
        condition=condition,
        score_rule=score_rule,
        max_new_tokens=max_new_tokens,
        features=parse_names(features),
        pooling=None if pooling is None else parse_names(pooling),
        scale=scale,
        human_range=parse_range(human_range),
        group=parse_names(group or ""),
        cluster=cluster,
        truncate_field=truncate_field,
        max_field_tokens=max_field_tokens,
        limit=limit,
        seed=seed,
        dtype=dtype,
        device=device,
        attn=attn,
        quantize=quantize,
        revision=revision,
        trust_remote_code=trust_remote_code,
        layers_path=layers_path,
        norm_path=norm_path,
        batch_tokens=batch_tokens,
        share_prefixes=share_prefixes,
        deterministic=deterministic,
    )
    if only_estimate:
        cost = dry_run(model, items, cache=cache, shard_size=shard_size, **options)
        print(json.dumps(cost._asdict(), indent=2) if as_json else "\n".join(cost.lines()))
        return
    complete = run_extraction(
        model,
        items,
        cache=cache,
        engine=engine,
        workers=workers,
        rank=rank,
        world_size=world_size,
        slurm=_parse_object(slurm, name="--slurm", example='{"partition": "gpu", "mem_gb": 64}'),
        max_failures=max_failures,
        wait=False,
        max_invalid=max_invalid,
        keep_text=keep_text,
        private=private,
        shard_size=shard_size,
        **options,
    )
    if as_json and complete:
        print(json.dumps(summarise(FeatureCache.open(cache)), indent=2, allow_nan=False))


def parse_names(text: str) -> list[str]:
    """Return names written with commas between."""
    return [name.strip() for name in text.split(",")] if text else []


def parse_chat_args(text: str | None) -> dict[str, Any] | None:
    """Return a JSON object, None for None."""
    return _parse_object(text, name="--chat-args", example='{"enable_thinking": true}')


def _parse_object(text: str | None, *, name: str, example: str) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise LagerError(f"{name} {text!r}: expected a JSON object such as '{example}'")
    return value


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Read ``LO-HI``; either may be negative or have a fraction."""
    if text is None:
        return None
    # The dash between the two is the first one that is not a sign.
    at = text.find("-", 1)
    try:
        return float(text[:at]), float(text[at + 1 :])
    except ValueError:
        raise LagerError(f"--human-range {text!r}: expected LO-HI, such as 0-100") from None

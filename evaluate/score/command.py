"""The command `lager score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...data.errors import LagerError
from ...data.files.canonical import canonical_json
from ...data.progress import Progress, to_stderr
from ...data.safe_text import printable

if TYPE_CHECKING:
    from .score_cache import Scored


def score(
    cache: Annotated[Path | None, typer.Argument(help="Feature cache to score.", show_default=False)] = None,
    *,
    aggregator: Annotated[Path, typer.Option(help="Aggregator file of lager train.")],
    out: Annotated[Path, typer.Option("--out", help="Where scores go, by its ending .jsonl, .csv or .parquet.")],
    model: Annotated[str | None, typer.Option(help="Instead of CACHE: folder or hub id of a model,")] = None,
    items: Annotated[str | None, typer.Option(help="and the items to score, as for lager extract.")] = None,
    template: Annotated[str | None, typer.Option(help="Judging template; as in training when left out.")] = None,
    system: Annotated[str | None, typer.Option(help="System message; as in training.")] = None,
    answer_prefix: Annotated[str | None, typer.Option(help="Beginning of the answer; as in training.")] = None,
    chat_args: Annotated[str | None, typer.Option(help="Chat template arguments as JSON; as in training.")] = None,
    condition: Annotated[str | None, typer.Option(help="direct, generate or reasoning; as in training.")] = None,
    score_rule: Annotated[str | None, typer.Option(help="marker or last; as in training.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Longest generated text; as in training.")] = None,
    scale: Annotated[str | None, typer.Option(help="Score labels; as in training.")] = None,
    group: Annotated[str | None, typer.Option(help="Columns that name an item's group, for group-mean.")] = None,
    truncate_field: Annotated[str | None, typer.Option(help="Field to cut before rendering; as in training.")] = None,
    max_field_tokens: Annotated[int | None, typer.Option(min=0, help="To how many tokens it is cut.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of the weights; as in training.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:N, mps or auto; the best when left out.")] = None,
    attn: Annotated[str | None, typer.Option(help="Attention implementation, such as sdpa or eager.")] = None,
    quantize: Annotated[str | None, typer.Option(help="4bit or 8bit weights, with bitsandbytes.")] = None,
    revision: Annotated[str | None, typer.Option(help="Version on the hub.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the checkpoint.")
    ] = False,
    layers_path: Annotated[str | None, typer.Option(help="Module path of the blocks, if not found.")] = None,
    norm_path: Annotated[str | None, typer.Option(help="Module path of the final norm, if not found.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=1, help="Padded tokens of a batch.")] = None,
    share_prefixes: Annotated[
        bool,
        typer.Option("--prefix-sharing/--no-prefix-sharing", help="Compute what prompts share once, where it saves."),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Apply an aggregator of other read-outs anyway.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Score new items with a fitted aggregator, from a cache or straight from a model.

    The same command goes on where an earlier one stopped.

    Example: lager score --model my/judge --items new.jsonl --aggregator agg.json --out scores.csv
    """
    from .journal import check_output

    check_output(out)
    live = {
        "template": template, "system": system, "answer_prefix": answer_prefix, "chat_args": chat_args,
        "condition": condition, "score_rule": score_rule, "max_new_tokens": max_new_tokens, "scale": scale,
        "truncate_field": truncate_field, "max_field_tokens": max_field_tokens, "dtype": dtype, "device": device,
        "attn": attn, "quantize": quantize, "revision": revision, "trust_remote_code": trust_remote_code,
        "layers_path": layers_path, "norm_path": norm_path, "batch_tokens": batch_tokens,
    }  # fmt: skip
    if cache is not None:
        given = [name for name, value in {"model": model, "items": items, "group": group, **live}.items() if value]
        if given:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise LagerError(f"{names}: CACHE holds what the model said already; leave it out, or leave CACHE out")
        scored = _score_cache(cache, aggregator, out, force=force)
    elif model is None or items is None:
        raise LagerError("there is nothing to score: give a CACHE, or both --model MODEL and --items ITEMS")
    else:
        live["share_prefixes"] = share_prefixes
        scored = _score_items(model, items, aggregator, out, live, group=group, force=force)
    for note in scored.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    typer.echo(canonical_json(_as_dict(scored)) if as_json else _summary(scored))


def _score_cache(cache: Path, aggregator: Path, out: Path, *, force: bool) -> Scored:
    from ...data.cache.feature_cache import FeatureCache
    from .score_cache import score_cache

    opened = FeatureCache.open(cache)
    with Progress(opened.n_items) as progress:
        return score_cache(opened, aggregator, out=out, force=force, advance=progress.advance)


def _score_items(
    model: str, items: str, aggregator: Path, out: Path, options: dict[str, Any], *, group: str | None, force: bool
) -> Scored:
    from ...extract.command import parse_chat_args, parse_names
    from .open_model import LiveOptions
    from .score_items import score_items

    options["chat_args"] = parse_chat_args(options["chat_args"])
    return score_items(
        model,
        items,
        aggregator,
        out=out,
        options=LiveOptions(**options),
        group=tuple(parse_names(group or "")),
        force=force,
        say=to_stderr,
        shown=True,
    )


def _as_dict(scored: Scored) -> dict[str, Any]:
    return {"out": str(scored.out), "items": scored.n_items, "valid": scored.n_valid,
            "in_sample": scored.n_in_sample, "notes": scored.notes}  # fmt: skip


def _summary(scored: Scored) -> str:
    without = scored.n_items - scored.n_valid
    rest = f", {without} without a score (see the column reason)" if without else ""
    return f"{scored.out}: {scored.n_items} items{rest}"

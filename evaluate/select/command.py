"""The command `lager select`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ...data.errors import LagerError
from ...data.safe_text import printable
from ..options import Raw


def select(
    scores: Annotated[Path, typer.Argument(help="File of scores by id, such as lager score writes.")],
    *,
    out: Annotated[Path, typer.Option(help="File to write: .jsonl, .json, .csv or .parquet.")],
    items: Annotated[
        Path | None,
        typer.Option(help="The records, whose columns are kept; by id, or by row from 0."),
    ] = None,
    column: Annotated[str, typer.Option(help="Column of the scores.")] = "score",
    average: Annotated[
        bool, typer.Option("--average", help="The ids are RECORD/CRITERION: a record's score is the mean.")
    ] = False,
    top: Annotated[str | None, typer.Option(help="Share of the records to take: 10% or 0.1.")] = None,
    count: Annotated[int | None, typer.Option(help="Or how many.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Lowest score to take.")] = None,
    quota: Annotated[
        str | None,
        typer.Option(metavar="COLUMN[:N]", help="At most N of each value; an even share of what is taken without N."),
    ] = None,
    dedupe: Annotated[
        str | None,
        typer.Option(metavar="COLUMN,...", help="Pass over texts that nearly repeat a better one's."),
    ] = None,
    similarity: Annotated[float, typer.Option(help="Share of word shingles in common that makes a duplicate.")] = 0.8,
    raw: Raw = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Take the best records by a judge's scores, without near-duplicates, within quotas.

    Example: lager select scores.jsonl --items alpaca.json --average --top 10% --dedupe output --out best.json
    """
    from .choose import choose
    from .records import read_scored_records
    from .write import check_out, write_records

    check_out(out)
    group, per_group = parse_quota(quota)
    read = read_scored_records(scores, column=column, items=items, average=average)
    choice = choose(
        read.records,
        top=None if top is None else parse_share(top),
        count=count,
        threshold=threshold,
        quota=group,
        per_group=per_group,
        dedupe=[] if dedupe is None else [name.strip() for name in dedupe.split(",")],
        similarity=similarity,
    )
    if not choice.chosen:
        best = max(record.score for record in read.records)
        raise LagerError(f"no record reaches --threshold {threshold:g}: the best score is {best:g}")
    write_records(choice.chosen, out, raw=raw)
    summary = {
        "records": len(read.records) + len(read.unscored),
        "unscored": len(read.unscored),
        "near_duplicates": choice.duplicates,
        "over_quota": choice.over_quota,
        "selected": len(choice.chosen),
        "lowest_score": choice.chosen[-1].score,
        "notes": read.notes,
        "out": str(out),
    }
    for note in read.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        passed = f"{choice.duplicates} near-duplicates and {choice.over_quota} over the quota passed over"
        typer.echo(
            f"{len(choice.chosen)} of {summary['records']} records ({len(read.unscored)} without a score; {passed}), "
            f"scores {choice.chosen[0].score:.4g} to {choice.chosen[-1].score:.4g}: {out}"
        )


def parse_share(text: str) -> float:
    """Read ``10%`` or ``0.1``."""
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise LagerError(f"--top {text!r}: expected a share such as 10% or 0.1; --count takes a number of records")
    return share


def parse_quota(text: str | None) -> tuple[str | None, int | None]:
    """Read ``COLUMN`` or ``COLUMN:N``; a `LagerError` when N is no number."""
    if text is None:
        return None, None
    name, colon, number = text.rpartition(":")
    if not colon:
        return text, None
    if not (name and number.isascii() and number.isdigit()):
        raise LagerError(f"--quota {text!r}: expected COLUMN or COLUMN:N, such as topic:50")
    return name, int(number)

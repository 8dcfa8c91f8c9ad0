"""Instruction data in the form of Alpaca (Taori et al. 2023): every record under each of seven aspects, unlabelled."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import LagerError
from ..items.small_files import check_columns, parse_id
from ..scale import Scale
from ..templates.aspects import ASPECTS
from .rows import Benchmark, Parsed, Row, one_cluster_a_text
from .source import SourceFile, read_records


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per record and aspect, called ``RECORD/ASPECT``; `part` names aspects, with commas between.

    A record without an `id` is called by its number from 0.
    """
    aspects = _chosen(part)
    rows = []
    for file in files:
        records = read_records(file)
        check_columns(records, ("instruction", "output"), path=file.path)
        for number, record in enumerate(records, start=1):
            record_id = parse_id(record.get("id", number - 1), row=number, path=file.path)
            fields = {
                "instruction": file.text(record, "instruction", number),
                "response": file.text(record, "output", number),
            }
            if source := file.optional(record, "input", number):
                fields["source"] = source
            rows += [
                Row(
                    f"{record_id}/{aspect}",
                    fields | {"criterion": aspect, "rubric": ASPECTS[aspect]},
                    [],
                    group=aspect,
                    cluster=record_id,
                )
                for aspect in aspects
            ]
    rows = one_cluster_a_text(rows, fields=("instruction", "source"))
    return Parsed(rows, Scale.parse("1-9"), template="aspect")


def _chosen(part: str | None) -> list[str]:
    names = list(ASPECTS) if part is None else [name.strip() for name in part.split(",")]
    if unknown := [name for name in names if name not in ASPECTS]:
        raise LagerError(f"unknown aspect {unknown[0]!r}: choose from {', '.join(ASPECTS)}")
    return names


ALPACA = Benchmark(
    read,
    licence="CC-BY-NC-4.0",
    files=("alpaca_data_cleaned.json", "alpaca*.json", "*.jsonl"),
    urls=(
        (
            "alpaca_data_cleaned.json",
            "https://huggingface.co/datasets/yahma/alpaca-cleaned/resolve/main/alpaca_data_cleaned.json",
        ),
    ),
    open_parts=True,
)

"""JSONL in which each row is a text with its mean score on every criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..items.small_files import check_columns
from ..scale import Scale
from .rows import Parsed, Row, one_cluster_a_text
from .source import SourceFile, read_records


class Layout(NamedTuple):
    """Which columns hold what, and what the criteria mean."""

    source_id: str
    writer_id: str
    source: str
    response: str
    instruction: str
    rubrics: dict[str, str]


def read_rated_texts(files: Sequence[SourceFile], layout: Layout) -> Parsed:
    """Return one item per text and criterion, scored from 1 to 5."""
    rows = []
    for file in files:
        records = read_records(file)
        check_columns(records, (*layout[:4], *layout.rubrics), path=file.path)
        for number, record in enumerate(records, start=1):
            source_id = file.name_of(record, layout.source_id, number)
            writer_id = file.name_of(record, layout.writer_id, number)
            texts = {
                "instruction": layout.instruction,
                "source": file.text(record, layout.source, number),
                "response": file.text(record, layout.response, number),
            }
            rows += [
                Row(
                    f"{source_id}/{writer_id}/{criterion}",
                    texts | {"criterion": criterion, "rubric": rubric},
                    file.scores(record, criterion, number),
                    group=criterion,
                    cluster=source_id,
                    system=writer_id,
                )
                for criterion, rubric in layout.rubrics.items()
            ]
    return Parsed(one_cluster_a_text(rows, fields=("source",)), Scale.parse("1-5"))

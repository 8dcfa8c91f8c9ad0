"""SelfAware (Yin et al. 2023): questions that can be answered, and others that nobody can answer.

The score is how surely a question is unanswerable: 9 for those that are, 1 for the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import LagerError
from ..items.small_files import check_columns
from ..scale import Scale
from .rows import Benchmark, Parsed, Row, one_cluster_a_text
from .source import SourceFile, read_document

_SCALE = Scale.parse("1-9")


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per question; the collection that it was taken from is a column."""
    (file,) = files
    document = read_document(file)
    records = document.get("example") if isinstance(document, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise LagerError(f"benchmark file {file.path}: expected SelfAware's JSON with a list under 'example'")
    check_columns(records, ("question_id", "question", "answerable", "source"), path=file.path)
    rows = []
    for number, record in enumerate(records, start=1):
        if not isinstance(record["answerable"], bool):
            raise LagerError(
                f"{file.path}, row {number}: answerable is {record['answerable']!r}, expected true or false"
            )
        score = _SCALE.low if record["answerable"] else _SCALE.high
        rows.append(
            Row(
                file.name_of(record, "question_id", number),
                {"question": file.text(record, "question", number)},
                [score],
                columns={"collection": file.text(record, "source", number)},
            )
        )
    return Parsed(one_cluster_a_text(rows, fields=("question",)), _SCALE, template="self-knowledge")


SELFAWARE = Benchmark(
    read,
    licence="CC-BY-SA-4.0",
    files=("SelfAware.json", "data/SelfAware.json"),
    urls=(
        (
            "SelfAware.json",
            "https://github.com/yinzhangyue/SelfAware/raw/f0bad1ff77bd42fc4eb2360281ed646c7bb7bd0c/data/SelfAware.json",
        ),
    ),
)

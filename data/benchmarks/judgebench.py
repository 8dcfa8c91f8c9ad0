"""JudgeBench (Tan et al. 2024): pairs of responses of which one is right. Not to be taken for JUDGE-BENCH."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import LagerError
from ..items.small_files import check_columns
from .pair_items import PARTS, Pair, pair_items
from .rows import Benchmark, Parsed
from .source import SourceFile, read_records

_NEEDED = ("pair_id", "source", "question", "response_model", "response_A", "response_B", "label")
_PREFERRED = {"A>B": "A", "B>A": "B", "A=B": "tie", "B=A": "tie"}
_CATEGORIES = {
    "mmlu-pro": "knowledge",
    "livebench-reasoning": "reasoning",
    "livebench-math": "math",
    "livecodebench": "coding",
}


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return two items a pair; see `pair_items`. The collection that a question comes from is a column."""
    sources: dict[str, str] = {}
    parsed = pair_items(_pairs(files, sources), part)
    rows = [row._replace(columns={**row.columns, "collection": sources[row.columns["pair"]]}) for row in parsed.rows]
    return parsed._replace(rows=rows)


def _pairs(files: Sequence[SourceFile], sources: dict[str, str]) -> Iterator[Pair]:
    for file in files:
        records = read_records(file)
        check_columns(records, _NEEDED, path=file.path)
        for number, record in enumerate(records, start=1):
            preferred = _PREFERRED.get(file.text(record, "label", number))
            if preferred is None:
                raise LagerError(f"{file.path}, row {number}: label is {record['label']!r}, expected A>B or B>A")
            pair_id, source = file.name_of(record, "pair_id", number), file.text(record, "source", number)
            sources[pair_id] = source
            model = file.text(record, "response_model", number)
            yield Pair(
                pair_id,
                file.text(record, "question", number),
                (file.text(record, "response_A", number), file.text(record, "response_B", number)),
                preferred,
                next((name for start, name in _CATEGORIES.items() if source.startswith(start)), source),
                (model, model),
            )


_FILES = "https://github.com/ScalerLab/JudgeBench/raw/12a499c5c29f06940d259b49250fca627d2a0ee5/data/"
_MODELS = ("gpt-4o-2024-05-13", "claude-3-5-sonnet-20240620")
JUDGEBENCH = Benchmark(
    read,
    licence="MIT; questions under the licences of their sources",
    files=("dataset=judgebench,*.jsonl", "data/dataset=judgebench,*.jsonl", "*.jsonl"),
    urls=tuple(
        (f"{model}.jsonl", f"{_FILES}dataset%3Djudgebench%2Cresponse_model%3D{model}.jsonl") for model in _MODELS
    ),
    parts=PARTS,
)

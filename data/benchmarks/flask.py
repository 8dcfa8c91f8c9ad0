"""FLASK with human scores, as Prometheus-Eval publishes it: ``flask_eval.json``, twelve rubrics, three raters.

Each record holds one judging prompt of Prometheus, cut here into its sections, and a list of human scores. The same
2,001 records are also published with the sections as columns (ContextualAI/Flask).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import LagerError
from ..items.small_files import check_columns
from ..scale import Scale
from .rows import Benchmark, Parsed, Row
from .source import SourceFile, read_records

_HEADINGS = {
    "instruction": "###The instruction to evaluate:",
    "response": "###Response to evaluate:",
    "reference": "###Reference Answer (Score 5):",
    "rubric": "###Score Rubrics:",
}
_END = "###Feedback:"
_COLUMNS = {"query": "instruction", "response": "response", "reference_answer": "reference", "rubric": "rubric"}
_CRITERION = re.compile(r"\[(.*?)\]", re.DOTALL)


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per record, grouped by its criterion, clustered by the instruction."""
    rows: list[Row] = []
    places: dict[str, str] = {}
    for file in files:
        records = read_records(file)
        in_columns = all(name in records[0] for name in _COLUMNS)
        check_columns(records, ("human_score", *(_COLUMNS if in_columns else ["instruction"])), path=file.path)
        for number, record in enumerate(records, start=1):
            if in_columns:
                fields = {field: file.text(record, name, number) for name, field in _COLUMNS.items()}
            else:
                fields = split_prompt(record["instruction"], where=f"{file.path}, record {number}")
            rows.append(
                Row(
                    f"r{len(rows)}",
                    fields,
                    file.scores(record, "human_score", number),
                    group=file.optional(record, "criteria", number) or _asked(fields["rubric"]),
                    cluster=places.setdefault(fields["instruction"], f"q{len(places)}"),
                    system=file.optional(record, "response_source", number),
                )
            )
    return Parsed(rows, Scale.parse("1-5"))


def _asked(rubric: str) -> str:
    """Return what a rubric asks, its first line or what stands in brackets there."""
    asked = _CRITERION.match(rubric)
    return asked[1].strip() if asked else rubric.partition("\n")[0]


def split_prompt(prompt: object, *, where: str) -> dict[str, str]:
    """Cut a judging prompt of Prometheus into instruction, response, reference (where there is one) and rubric.

    The sections are looked for in their order, so that a response may hold ``###`` itself.
    """
    text = prompt if isinstance(prompt, str) else ""
    found: dict[str, tuple[int, int]] = {}
    at = 0
    for name, heading in _HEADINGS.items():
        start = text.find(heading, at)
        if start < 0:
            if name == "reference":
                continue
            raise LagerError(f"{where}: no section {heading!r}: expected the judging prompt of flask_eval.json")
        at = start + len(heading)
        found[name] = (start, at)
    end = text.find(_END, at)
    starts = [*[start for start, _ in found.values()][1:], len(text) if end < 0 else end]
    return {name: text[after:stop].strip() for (name, (_, after)), stop in zip(found.items(), starts, strict=True)}


FLASK = Benchmark(
    read,
    licence="Apache-2.0 (Prometheus-Eval)",
    files=("flask_eval.json", "**/flask_eval.json", "**/test-*.parquet"),
    urls=(
        (
            "flask_eval.json",
            "https://github.com/prometheus-eval/prometheus-eval/raw/main/eval/benchmark/data/flask_eval.json",
        ),
    ),
)

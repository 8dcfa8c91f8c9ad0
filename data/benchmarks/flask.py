"""FLASK with human scores, as Prometheus-Eval publishes it: ``flask_eval.json``, twelve rubrics, three raters.

Each record holds one judging prompt of Prometheus, cut here into its sections, and a list of human scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import LagerError
from ..item_files import check_columns, parse_scores
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
_CRITERION = re.compile(r"\[(.*?)\]", re.DOTALL)


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per record, grouped by the rubric's question, clustered by the instruction."""
    rows: list[Row] = []
    places: dict[str, str] = {}
    for file in files:
        records = read_records(file)
        check_columns(records, ("instruction", "human_score"), path=file.path)
        for number, record in enumerate(records, start=1):
            fields = split_prompt(record["instruction"], where=f"{file.path}, record {number}")
            criterion = _CRITERION.match(fields["rubric"])
            writer = record.get("response_source")
            rows.append(
                Row(
                    f"r{len(rows)}",
                    fields,
                    parse_scores(record["human_score"], row=number, path=file.path, column="human_score"),
                    group=criterion[1].strip() if criterion else fields["rubric"].splitlines()[0],
                    cluster=places.setdefault(fields["instruction"], f"q{len(places)}"),
                    system=None if writer is None else str(writer),
                )
            )
    return Parsed(rows, Scale.parse("1-5"))


def split_prompt(prompt: object, *, where: str) -> dict[str, str]:
    """Cut a judging prompt of Prometheus into instruction, response, reference (where there is one) and rubric.

    The sections are looked for in their order, so that a response may hold ``###`` itself.

    Raises
    ------
    LagerError
        When a section is missing.
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
    licence="Apache-2.0 (Prometheus-Eval); FLASK: Apache-2.0",
    files=("flask_eval.json", "**/flask_eval.json"),
    urls=(
        (
            "flask_eval.json",
            "https://github.com/prometheus-eval/prometheus-eval/raw/main/eval/benchmark/data/flask_eval.json",
        ),
    ),
)

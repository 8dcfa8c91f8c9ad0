"""EQ-Bench 2 (Paech 2023): how strongly a character of a dialogue feels each of four emotions.

171 questions give 684 items; one question's intensities sum to 9, not 10. The paper judged 430 of them, without
saying which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import LagerError
from ..items.small_files import parse_scores
from ..scale import Scale
from .rows import Benchmark, Parsed, Row, one_cluster_a_text
from .source import SourceFile, read_document

_PROMPT = re.compile(
    r".*?dialogue:\s*(?P<dialogue>.*?)\s*\[End dialogue\]\s*(?P<question>\S[^\n]*?)[.\s]*\n", re.DOTALL
)
_FORMAT = "expected a question of EQ-Bench 2 with prompt and reference_answer_fullscale"


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per question and emotion, on 1-9 as in the paper or on EQ-Bench's own ``0-10``."""
    (file,) = files
    document = read_document(file)
    if not isinstance(document, dict):
        raise LagerError(f"benchmark file {file.path}: {_FORMAT}, by its number")
    scale = Scale.parse(part or "1-9")
    step = (scale.high - scale.low) / 10
    rows = []
    for number, (question_id, question) in enumerate(document.items(), start=1):
        where = f"{file.path}, question {question_id}"
        fields = _dialogue(question, where=where)
        for place, (emotion, intensity) in enumerate(_reference(question, where=where), start=1):
            (score,) = parse_scores(intensity, row=number, path=file.path, column=f"emotion{place}_score") or (None,)
            if score is None or not 0 <= score <= 10:
                raise LagerError(f"{where}: emotion{place}_score is {intensity!r}, expected 0 to 10")
            rows.append(
                Row(
                    f"{question_id}/{emotion}",
                    fields | {"emotion": emotion},
                    [scale.low + step * score],
                    cluster=str(question_id),
                )
            )
    return Parsed(one_cluster_a_text(rows, fields=("source",)), scale, template="emotion")


def _dialogue(question: Any, *, where: str) -> dict[str, str]:
    """Return the dialogue and the sentence that asks about it, without what EQ-Bench says of its answer format."""
    prompt = question.get("prompt") if isinstance(question, Mapping) else None
    match = _PROMPT.match(prompt) if isinstance(prompt, str) else None
    if match is None:
        raise LagerError(f"{where}: {_FORMAT}")
    return {"source": match["dialogue"], "question": match["question"]}


def _reference(question: Mapping[str, Any], *, where: str) -> list[tuple[str, Any]]:
    """Return the four emotions and their intensities, numbers or digits as text."""
    answer = question.get("reference_answer_fullscale")
    try:
        found = [(answer[f"emotion{n}"], answer[f"emotion{n}_score"]) for n in range(1, 5)]  # type: ignore[index]
        if all(isinstance(emotion, str) for emotion, _ in found):
            return found
        raise TypeError
    except (KeyError, TypeError):
        raise LagerError(f"{where}: {_FORMAT}") from None


EQBENCH = Benchmark(
    read,
    licence="MIT",
    files=("eq_bench_v2_questions_171.json", "data/eq_bench_v2_questions_171.json"),
    urls=(
        (
            "eq_bench_v2_questions_171.json",
            "https://github.com/EQ-bench/EQ-Bench/raw/2f6eab448812177bda543711390d81b97686b81c/data/"
            "eq_bench_v2_questions_171.json",
        ),
    ),
    parts={"1-9": "the paper's scale", "0-10": "EQ-Bench's own"},
)

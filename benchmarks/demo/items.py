"""The demo's judging items: three criteria on each response, scored by simulated raters, as rows of JSONL."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lager.data.files.writing import replacing

from .world import Answer, Request, Style, Writer, make_answer, make_request

RUBRICS = {
    "coverage": "How many of the things asked for are described? 1 for none of them, 5 for all of them.",
    "courtesy": "How courteous is the writer to the reader? 1 for rude, 3 for both, 5 for courteous.",
    "clarity": "How many of the sentences are well formed? 1 for none of them, 5 for all of them.",
}
TRAIN_WRITERS = (
    Writer("steady", coverage=0.80, courtesy=0.80, clarity=0.85),
    Writer("sparing", coverage=0.30, courtesy=0.75, clarity=0.70),
    Writer("blunt", coverage=0.70, courtesy=0.25, clarity=0.65),
    Writer("jumbled", coverage=0.60, courtesy=0.60, clarity=0.30),
)
TEST_WRITERS = (
    Writer("stately", coverage=0.75, courtesy=0.75, clarity=0.75),
    Writer("wandering", coverage=0.40, courtesy=0.65, clarity=0.60),
    Writer("grumbling", coverage=0.65, courtesy=0.30, clarity=0.50),
    Writer("hasty", coverage=0.55, courtesy=0.50, clarity=0.35),
)
_SPREAD = 0.25


@dataclass(frozen=True)
class Rater:
    """A simulated annotator: its leniency and the standard deviation of its noise, both in points of the scale."""

    leniency: float
    noise: float

    def score(self, rng: random.Random, share: float) -> int:
        """Return a score of 1 to 5 for a share of 0 to 1."""
        return max(1, min(5, round(1 + 4 * share + self.leniency + rng.gauss(0, self.noise))))


RATERS = (Rater(leniency=-0.4, noise=0.5), Rater(leniency=0.0, noise=0.7), Rater(leniency=0.3, noise=0.6))


def rate(rng: random.Random, answer: Answer) -> dict[str, list[int]]:
    """Return every rater's score of each criterion."""
    return {criterion: [rater.score(rng, answer.shares[criterion]) for rater in RATERS] for criterion in RUBRICS}


def fields_of(request: Request, answer: Answer, criterion: str) -> dict[str, str]:
    """Return the template fields of one judging prompt."""
    return {
        "instruction": request.text,
        "response": answer.text,
        "criterion": criterion,
        "rubric": RUBRICS[criterion],
    }


def _vary(rng: random.Random, writer: Writer) -> Writer:
    """Return the writer on a good or bad day, so that its name alone does not tell the score."""
    drawn = [min(1.0, max(0.0, p + rng.uniform(-_SPREAD, _SPREAD))) for p in _qualities(writer)]
    return Writer(writer.name, *drawn)


def _qualities(writer: Writer) -> tuple[float, float, float]:
    return writer.coverage, writer.courtesy, writer.clarity


def _set(
    name: str, *, seed: int, n_requests: int, writers: Sequence[Writer], ornate: float
) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"lager demo {name} {seed}")
    for number in range(n_requests):
        request = make_request(rng, ornate=ornate)
        for writer in writers:
            answer = make_answer(rng, request, _vary(rng, writer), ornate=ornate)
            for criterion, scores in rate(rng, answer).items():
                yield {
                    "id": f"{name}-{number:03d}-{writer.name}-{criterion}",
                    **fields_of(request, answer, criterion),
                    "score": scores,
                    "group": criterion,
                    "cluster": f"{name}-{number:03d}",
                    "system": writer.name,
                }


def training_items(seed: int) -> list[dict[str, Any]]:
    """Return the 240 labelled items in the judge's own (plain) style: 20 requests, 4 writers, 3 criteria."""
    return list(_set("train", seed=seed, n_requests=20, writers=TRAIN_WRITERS, ornate=0.0))


def heldout_items(seed: int) -> list[dict[str, Any]]:
    """Return the 300 items in the ornate style, by other writers: 25 requests, 4 writers, 3 criteria."""
    return list(_set("test", seed=seed, n_requests=25, writers=TEST_WRITERS, ornate=1.0))


def judged_stream(seed: int, *, ornate: float) -> Iterator[tuple[list[dict[str, str]], list[list[int]]]]:
    """Yield, without end, the prompts' fields of one response under every criterion, and the raters' scores of each.

    What the judge is trained on: writers of every quality, and the ornate style with probability `ornate` for each
    of request and response.
    """
    rng = random.Random(f"lager demo judge {seed}")
    while True:
        writer = Writer("any", rng.random(), rng.random(), rng.random())
        request = make_request(rng, ornate=ornate)
        answer = make_answer(rng, request, writer, ornate=ornate)
        scores = rate(rng, answer)
        yield [fields_of(request, answer, criterion) for criterion in RUBRICS], [scores[c] for c in RUBRICS]


def style_texts(style: Style) -> list[str]:
    """Return every sentence form of a style, for the tokenizer's corpus."""
    return [*style.requests, *style.statements, *style.fillers, *style.courteous, *style.rude]


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one row a line, the same bytes for the same rows."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

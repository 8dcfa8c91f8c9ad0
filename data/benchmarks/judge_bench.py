"""JUDGE-BENCH (Bavaresco et al. 2025): the graded criteria of any of its sets, every annotator's score kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import LagerError
from ..item_files import parse_scores
from ..scale import Scale
from .rows import Benchmark, Parsed, Row
from .source import SourceFile, read_document

_PLACEHOLDER = "{{ instance }}"


class _Criterion(NamedTuple):
    name: str
    question: str
    worst: int
    best: int


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per text and graded criterion; `part` names criteria, with commas between them."""
    return read_graded_set(files, part)


def read_graded_set(files: Sequence[SourceFile], part: str | None, *, instruction: str = "") -> Parsed:
    """Read a set in the common JSON format (its ``data/README.md``): ``annotations`` and ``instances``.

    Where a criterion's worst value is above its best, scores are mirrored.

    Parameters
    ----------
    files : sequence of SourceFile
        One file.
    part : str or None
        Names of criteria; all graded ones when None.
    instruction : str
        What the writers were asked to do.

    Raises
    ------
    LagerError
        When the file is not in that format, has no graded criterion, or the criteria have several ranges.
    """
    (file,) = files
    document = read_document(file)
    try:
        criteria = _chosen(_graded(document["annotations"]), part, file)
        rows = [
            _row(instance, one, instruction=instruction, number=number, file=file)
            for number, instance in enumerate(document["instances"], start=1)
            for one in criteria
        ]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        if isinstance(error, LagerError):
            raise
        raise LagerError(
            f"benchmark file {file.path}: not in the JUDGE-BENCH format ({type(error).__name__}: {error})"
        ) from None
    low, high = sorted((criteria[0].worst, criteria[0].best))
    return Parsed(rows, Scale.parse(f"{low}-{high}"))


def _graded(annotations: Sequence[Mapping[str, Any]]) -> list[_Criterion]:
    """Return the criteria that are ranges of whole numbers, of those declared."""
    return [
        _Criterion(one["metric"], _question(one["prompt"]), int(one["worst"]), int(one["best"]))
        for one in annotations
        if one.get("category", "graded") == "graded"
    ]


def _question(prompt: str) -> str:
    """Return what is asked of a text, without the place where the text stood."""
    return prompt.rsplit("Statement:", maxsplit=1)[-1].replace(_PLACEHOLDER, "").strip()


def _chosen(criteria: list[_Criterion], part: str | None, file: SourceFile) -> list[_Criterion]:
    known = {one.name: one for one in criteria}
    if not known:
        raise LagerError(f"benchmark file {file.path} has no graded criterion: its annotations are of other categories")
    names = list(known) if part is None else [name.strip() for name in part.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise LagerError(
            f"benchmark file {file.path} has no graded criterion {unknown[0]!r}: it has {', '.join(known)}"
        )
    chosen = [known[name] for name in names]
    if len({frozenset((one.worst, one.best)) for one in chosen}) > 1:
        ranges = ", ".join(f"{one.name} {one.worst}-{one.best}" for one in chosen)
        raise LagerError(
            f"benchmark file {file.path}: the criteria have several ranges ({ranges}); name those of one range behind "
            f"#, such as #{chosen[0].name}"
        )
    return chosen


def _row(instance: Mapping[str, Any], criterion: _Criterion, *, instruction: str, number: int, file: SourceFile) -> Row:
    given = instance["annotations"].get(criterion.name, {}).get("individual_human_scores")
    scores = parse_scores(given, row=number, path=file.path, column=criterion.name)
    if criterion.worst > criterion.best:
        scores = [criterion.worst + criterion.best - score for score in scores]
    text = instance["instance"].strip()
    instance_id = str(instance["id"])
    fields = {"response": text, "criterion": criterion.name, "rubric": criterion.question}
    if instruction:
        fields["instruction"] = instruction
    return Row(f"{instance_id}/{criterion.name}", fields, scores, group=criterion.name, cluster=instance_id)


JUDGE_BENCH = Benchmark(
    read,
    licence="of the set: see JUDGE-BENCH's data/README.md",
    files=("*.json",),
    open_parts=True,
)

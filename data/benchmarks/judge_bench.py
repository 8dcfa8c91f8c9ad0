"""JUDGE-BENCH (Bavaresco et al. 2025): the graded criteria of any of its sets, every annotator's score kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import LagerError
from ..items.small_files import parse_scores
from ..scale import Scale
from .rows import Benchmark, Parsed, Row, one_cluster_a_text
from .source import SourceFile, read_document

#: Where an instance's text stood in the question: ``{{ instance }}``, or ``Context: {{ context }}`` on a line.
_PLACEHOLDER = re.compile(r"(?:^[\w ]+:[ ]*)?\{\{\s*\w+\s*\}\}", re.MULTILINE)
#: Which part of an instance of several parts is judged.
_JUDGED = ("response", "translation", "summary")
#: Sets whose instances hold what is judged and its source in one text, under headings: Newsroom, and ROSCOE.
_TWO_IN_ONE = (
    re.compile(r"### Generated \w+\n(?P<response>.+?)\n### Source \w+\n(?P<source>.+)", re.DOTALL),
    re.compile(
        r"(?P<instruction>.*?)\nCONTEXT:\n(?P<source>.+?)\nGENERATED RESPONSE:\n(?P<response>.+?)"
        r"(?:\nJudge the generated response:)?",
        re.DOTALL,
    ),
)


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
    """
    (file,) = files
    document = read_document(file)
    try:
        criteria = _chosen(_graded(document["annotations"]), part, file)
        rows = []
        for number, instance in enumerate(document["instances"], start=1):
            fields = _fields(instance["instance"], instruction, where=f"{file.path}, instance {number}")
            instance_id = str(instance["id"])
            rows += [
                Row(
                    f"{instance_id}/{one.name}",
                    fields | {"criterion": one.name, "rubric": one.question},
                    _scores(instance, one, number=number, file=file),
                    group=one.name,
                    cluster=instance_id,
                )
                for one in criteria
            ]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        if isinstance(error, LagerError):
            raise
        raise LagerError(
            f"benchmark file {file.path}: not in the JUDGE-BENCH format ({type(error).__name__}: {error})"
        ) from None
    low, high = sorted((criteria[0].worst, criteria[0].best))
    judged_alone = not any("source" in row.fields for row in rows)
    clustered = one_cluster_a_text(rows, fields=("response",) if judged_alone else ("source",))
    return Parsed(clustered, Scale.parse(f"{low}-{high}"))


def _graded(annotations: Sequence[Mapping[str, Any]]) -> list[_Criterion]:
    """Return the criteria that are ranges of whole numbers, of those declared."""
    return [
        _Criterion(str(one["metric"]), _question(one["prompt"]), int(one["worst"]), int(one["best"]))
        for one in annotations
        if one.get("category", "graded") == "graded"
    ]


def _question(prompt: str) -> str:
    """Return what is asked of a text, without the places where its parts stood."""
    return _PLACEHOLDER.sub("", prompt.rsplit("Statement:", maxsplit=1)[-1]).strip()


def _fields(instance: Any, instruction: str, *, where: str) -> dict[str, str]:
    """Return the template's fields of a text, or of an object: what is judged, reference, and the rest as source."""
    fields = {"instruction": instruction} if instruction else {}
    if isinstance(instance, str):
        return fields | _parts(instance.strip())
    texts = {name: text.strip() for name, text in instance.items() if isinstance(text, str)}
    judged = next((name for name in _JUDGED if name in texts), None)
    if judged is None:
        raise LagerError(f"{where}: expected a text, or an object with {', '.join(_JUDGED[:-1])} or {_JUDGED[-1]}")
    fields["response"] = texts.pop(judged)
    if reference := texts.pop("reference", ""):
        fields["reference"] = reference
    if source := "\n\n".join(f"{name}: {text}" for name, text in texts.items() if text):
        fields["source"] = source
    return fields


def _parts(text: str) -> dict[str, str]:
    """Return a text that holds its source too as the two, any other as the response that it is."""
    for form in _TWO_IN_ONE:
        if match := form.fullmatch(text):
            return {name: part.strip() for name, part in match.groupdict().items()}
    return {"response": text}


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


def _scores(instance: Mapping[str, Any], criterion: _Criterion, *, number: int, file: SourceFile) -> list[float]:
    given = instance["annotations"].get(criterion.name, {}).get("individual_human_scores")
    scores = parse_scores(given, row=number, path=file.path, column=criterion.name)
    if criterion.worst > criterion.best:
        return [criterion.worst + criterion.best - score for score in scores]
    return scores


JUDGE_BENCH = Benchmark(
    read,
    licence="of the set: see JUDGE-BENCH's data/README.md",
    files=("*.json",),
    open_parts=True,
)

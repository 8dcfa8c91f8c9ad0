"""Published benchmarks as items: one item per text and criterion, every annotator's score kept where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from .errors import LagerError
from .item_files import check_columns, check_unique, parse_scores, read_rows
from .items import TABLE_SCHEMA, Items
from .scale import Scale


class _Row(NamedTuple):
    item_id: str
    fields: dict[str, Any]
    scores: list[float]
    group: str
    cluster: str
    system: str


class _Layout(NamedTuple):
    """Columns of a JSONL benchmark in which each row is a text with one score a criterion."""

    source_id: str
    writer_id: str
    source: str
    response: str
    instruction: str
    rubrics: dict[str, str]


_SUMMEVAL = _Layout(
    source_id="article_id",
    writer_id="summary_id",
    source="article",
    response="summary",
    instruction="Summarise the article.",
    rubrics={
        "coherence": "the sentences of the summary build on each other and form one well-organised whole.",
        "fluency": "each sentence of the summary is grammatical, complete and easy to read.",
        "consistency": "every fact in the summary is supported by the article.",
        "relevance": "the summary holds the important content of the article and leaves out the rest.",
    },
)
_HANNA = _Layout(
    source_id="prompt_id",
    writer_id="story_id",
    source="prompt",
    response="story",
    instruction="Write a story for the prompt.",
    rubrics={
        "relevance": "the story matches its prompt.",
        "coherence": "the story makes sense from beginning to end.",
        "empathy": "the reader understands and shares the emotions of the characters.",
        "surprise": "the end of the story is unexpected and still fits.",
        "engagement": "the story holds the reader's attention.",
        "complexity": "the story is elaborate in its plot, world and language.",
    },
)
_RECIPE_ID = re.compile(r"(.+_\d+)_(\w+)\Z")


def _rated_texts(path: Path, layout: _Layout) -> tuple[list[_Row], Scale]:
    """Read a file whose rows hold a text and, under each criterion's name, its mean score from 1 to 5.

    Texts about one source come one after the other, whatever their order in the file: they share most of a prompt.
    """
    rows = read_rows(path, what="benchmark file")
    check_columns(rows, (*layout[:4], *layout.rubrics), path=path)
    items = [
        _Row(
            f"{row[layout.source_id]}/{row[layout.writer_id]}/{criterion}",
            {
                "instruction": layout.instruction,
                "source": row[layout.source],
                "response": row[layout.response],
                "criterion": criterion,
                "rubric": rubric,
            },
            parse_scores(row[criterion], row=number, path=path, column=criterion),
            criterion,
            str(row[layout.source_id]),
            str(row[layout.writer_id]),
        )
        for number, row in _side_by_side(rows, layout.source_id)
        for criterion, rubric in layout.rubrics.items()
    ]
    return items, Scale.parse("1-5")


def _side_by_side(rows: list[dict[str, Any]], column: str) -> list[tuple[int, dict[str, Any]]]:
    """Return rows with their numbers in the file, those of one value of a column together, in order of appearance."""
    first: dict[str, int] = {}
    numbered = list(enumerate(rows, start=1))
    return sorted(numbered, key=lambda row: first.setdefault(str(row[1][column]), row[0]))


def _recipe(path: Path) -> tuple[list[_Row], Scale]:
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise LagerError(f"cannot read recipe file {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise LagerError(f"recipe file {path} is not valid JSON") from None
    try:
        rubrics = {a["metric"]: a["prompt"].split("Statement:")[-1].strip() for a in raw["annotations"]}
        ranges = {(int(a["worst"]), int(a["best"])) for a in raw["annotations"]}
        ((low, high),) = ranges
        rows = [
            _Row(
                f"{instance['id']}/{criterion}",
                {
                    "instruction": "Write a cooking recipe.",
                    "response": instance["instance"].strip(),
                    "criterion": criterion,
                    "rubric": rubric,
                },
                parse_scores(
                    instance["annotations"][criterion]["individual_human_scores"],
                    row=number,
                    path=path,
                    column=criterion,
                ),
                criterion,
                *_dish_and_version(instance["id"]),
            )
            for number, instance in enumerate(raw["instances"], start=1)
            for criterion, rubric in rubrics.items()
        ]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise LagerError(f"recipe file {path}: not in the JUDGE-BENCH format ({error!r} is missing)") from None
    except ValueError as error:
        if isinstance(error, LagerError):
            raise
        raise LagerError(f"recipe file {path}: expected one range of scores for all criteria") from None
    return rows, Scale.parse(f"{low}-{high}")


def _dish_and_version(instance_id: str) -> tuple[str, str]:
    """Split ``waffles_7_no_context`` into the dish, which several texts share, and how it was rewritten."""
    match = _RECIPE_ID.match(instance_id)
    return (match[1], match[2]) if match else (instance_id, "unknown")


_Adapter = Callable[[Path], tuple[list[_Row], Scale]]
BENCHMARKS: dict[str, tuple[_Adapter, str]] = {
    "summeval": (partial(_rated_texts, layout=_SUMMEVAL), "MIT; texts from CNN/DailyMail"),
    "hanna": (partial(_rated_texts, layout=_HANNA), "MIT"),
    "recipe": (_recipe, "CC-BY-4.0"),
}


def load_benchmark(spec: str) -> Items:
    """Read ``NAME=PATH``.

    Raises
    ------
    LagerError
        When the name is unknown or the file is not in the published format.
    """
    name, _, path_text = spec.partition("=")
    if name not in BENCHMARKS or not path_text:
        raise LagerError(
            f"benchmark {spec!r}: expected benchmark:NAME=PATH with NAME one of {', '.join(BENCHMARKS)}, for example "
            "benchmark:summeval=summeval.jsonl"
        )
    adapter, licence = BENCHMARKS[name]
    path = Path(path_text)
    rows, scale = adapter(path)
    check_unique([row.item_id for row in rows], path=path)
    table = pl.DataFrame(
        {
            "item_id": [row.item_id for row in rows],
            "scores": [row.scores for row in rows],
            "group": [row.group for row in rows],
            "cluster": [row.cluster for row in rows],
            "system": [row.system for row in rows],
        },
        schema=TABLE_SCHEMA,
    )
    source = {"benchmark": name, "file": path.name, "licence": licence}
    ids = tuple(row.item_id for row in rows)
    return Items(ids, tuple(row.fields for row in rows), "fields", table, scale=scale, source=source)

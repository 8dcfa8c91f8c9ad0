"""Cooking recipes (Stein et al. 2024) from JUDGE-BENCH: six criteria from 1 to 6, every rater's score kept."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .judge_bench import read_graded_set
from .rows import Benchmark, Parsed, Row
from .source import SourceFile

_ID = re.compile(r"(.+_\d+)_(\w+)\Z")


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per recipe and criterion."""
    parsed = read_graded_set(files, part, instruction="Write a cooking recipe.")
    return parsed._replace(rows=[_with_dish(row) for row in parsed.rows])


def _with_dish(row: Row) -> Row:
    """Split ``waffles_7_no_context`` into the dish, which several texts share, and how it was rewritten."""
    match = _ID.match(str(row.cluster))
    dish, version = (match[1], match[2]) if match else (row.cluster, "unknown")
    return row._replace(cluster=dish, system=version)


RECIPE = Benchmark(
    read,
    licence="CC-BY-4.0",
    files=("recipe.json", "meta_evaluation_recipes.json", "**/meta_evaluation_recipes.json"),
    urls=(
        (
            "meta_evaluation_recipes.json",
            "https://github.com/dmg-illc/JUDGE-BENCH/raw/da3694dcf6facc4932bd3e022e7ca3d1a0746f9b/data/"
            "recipe_crowd_sourcing_data/meta_evaluation_recipes.json",
        ),
    ),
    open_parts=True,
)

"""Plans and draws for judged items, as the command takes them from a cache or files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ...data.items.score_files import read_external
from ..agreement.fold_scores import FoldScores
from ..decisions.judged_items import JudgedItems
from ..output import write_csv
from .draw import draw_items
from .pilot import plan_from_pilot
from .plan import PlannedLabels


def plan_judged(
    judged: JudgedItems, asked: Mapping[str, float], *, by: bool, expected: float, level: float, power: float, seed: int
) -> list[PlannedLabels]:
    """Return a plan for each question; the first judge's where a question is about a judge."""
    judges: dict[str, ArrayLike | FoldScores] = {
        name: one.scores if one.folded is None else one.folded for name, one in judged.judges.items()
    }
    raters = judged.rater_scores.scores if "non-inferiority" in asked else None
    return [
        plan_from_pilot(
            goal,
            target,
            judged.human,
            judges,
            system=_systems(judged, by=by),
            cluster=judged.cluster,
            group=None if by else judged.group,
            raters=raters,
            expected=expected,
            level=level,
            power=power,
            seed=seed,
        )
        for goal, target in asked.items()
    ]


def draw_judged(
    judged: JudgedItems, n: int, out: Path, *, by: bool, doubt: str | None, floor: float, seed: int, raw: bool
) -> None:
    """Draw items and write all of them, with those to label marked, as a file that `lager estimate --scores` reads."""
    if out.suffix != ".csv":
        raise LagerError(f"--out {out}: items are written as CSV: give a name that ends in .csv")
    scores = {name: _filled(one.scores, name) for name, one in judged.judges.items()}
    drawn = draw_items(
        n, judged.human, _doubt(judged, doubt, scores), judge=np.mean([*_standard(scores)], axis=0),
        system=_systems(judged, by=by), floor=floor, seed=seed,
    )  # fmt: skip
    known = {name: column for name in ("system", "group", "cluster") if (column := judged.column(name)) is not None}
    rows = [
        {
            "id": item,
            "score": None if np.isnan(human) else float(human),
            "draw": int(to_label),
            "probability": float(probability) if to_label or np.isfinite(human) else None,
            **{name: column[row] for name, column in known.items()},
            **{name: float(values[row]) for name, values in scores.items()},
        }
        for row, (item, human, to_label, probability) in enumerate(
            zip(judged.ids, judged.human, drawn.drawn, drawn.probability, strict=True)
        )
    ]
    write_csv(out, rows, list(rows[0]), raw=raw)


def _systems(judged: JudgedItems, *, by: bool) -> NDArray[np.object_] | None:
    return judged.group if by or judged.system is None else judged.system


def _doubt(judged: JudgedItems, spec: str | None, scores: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return doubt from a file, or how far the judges are apart once each has mean 0 and deviation 1."""
    if spec is not None:
        (read,) = read_external([spec], judged.items, None)
        return _filled(read.scores, spec)
    if len(scores) < 2:
        raise LagerError("one judge says nothing of its doubt: give --doubt FILE:COLUMN, or several judges")
    return np.asarray(np.std(_standard(scores), axis=0))


def _standard(scores: Mapping[str, NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return each judge's scores with mean 0 and deviation 1."""
    return [(one - one.mean()) / (one.std() or 1.0) for one in scores.values()]


def _filled(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return scores with the mean where there is none."""
    if np.isnan(values).all():
        raise LagerError(f"{name} has scored no item: check its ids")
    return np.where(np.isnan(values), np.nanmean(values), values)

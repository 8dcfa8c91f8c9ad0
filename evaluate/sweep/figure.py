"""Learning curves of a sweep as a picture in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...data.errors import LagerError
from ..report.drawing import drawing, save_png
from ..report.learning_figure import MOST, LearningPoint, draw_learning
from .cells import DrawBy, Row
from .ranking import learning_curve, ranking

CURVES_PNG = "learning_curves.png"
_REFERENCES = ("lager", "e-score")


def draw_learning_curves(path: Path, rows: Sequence[Row], *, level: str, draw: DrawBy = "items") -> None:
    """Draw the best strategies' Spearman against the number of labels, with strategies that need none."""
    fitted = [one.strategy for one in ranking(rows) if one.size and one.spearman is not None][:MOST]
    if not fitted:
        raise LagerError(f"no {path.name}: no strategy has a figure for any number of labels")
    points = [
        LearningPoint(name, row["size"], row["spearman"])
        for name in fitted
        for row in rows
        if row["protocol"] == "curve" and row["strategy"] == name and row["spearman"] is not None
    ]
    references = {name: curve[0].spearman for name in _REFERENCES if (curve := learning_curve(rows, name))}
    unit = "whole clusters of labels" if draw == "clusters" else "labels, one of each cluster in turn"
    metric = f"Spearman on the test cache, {'pooled' if level == 'pooled' else 'mean over groups'}"
    with drawing():
        save_png(draw_learning(points, metric=metric, references=references, unit=unit), path)

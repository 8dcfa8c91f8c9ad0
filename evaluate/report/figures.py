"""Which figures an evaluation gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation.abstention_curves import Abstention
from ..evaluation.doubt import DOUBTS
from ..evaluation.early_exit import EarlyExit
from ..evaluation.evaluation import Evaluation, in_focus
from ..metrics.metrics import METRICS
from .abstention_figure import draw_abstention
from .drawing import Drawn
from .group_figure import draw_groups
from .layer_figure import draw_depth, draw_layers
from .learning_figure import LearningPoint, draw_learning
from .marks import LEVELS
from .score_figures import draw_calibration, draw_scores
from .weight_figure import draw_weights


def draw_all(
    evaluation: Evaluation,
    *,
    layers: Sequence[float | None] | None,
    depth: Sequence[float | None] | None,
    early: Sequence[EarlyExit] = (),
    abstained: Abstention | None = None,
    learning: Sequence[LearningPoint] = (),
) -> list[Drawn]:
    """Return the figures in the order of the report; `drawing` must be open."""
    agreement = evaluation.agreement
    spearman = {one.strategy: one.metrics["spearman"].estimate for one in agreement.strategies}
    text = f"Spearman, {LEVELS[agreement.level]}"
    drawn: list[Drawn | None] = []
    if layers is not None and depth is not None:
        cost = draw_depth(depth, {name: spearman.get(name) for name in ("lager", "e-score")}, metric=text, early=early)
        drawn += [draw_layers(layers, spearman, metric=text), cost]
    drawn += [draw_weights(*tuned) for tuned in evaluation.aggregators.items() if tuned[0].startswith("lager-tuned")][
        :1
    ]
    if scores := focus_scores(evaluation):
        low, high = _ends(evaluation, scores)
        drawn += [draw_scores(evaluation.human, scores, low=low, high=high), draw_calibration(evaluation.human, scores)]
    if abstained is not None and abstained.curves:
        curves = {name: abstained.curves[name][DOUBTS[0]] for name in in_focus(abstained.curves)}
        drawn.append(draw_abstention(curves, level=LEVELS[abstained.level]))
    metric = evaluation.shown[0]
    drawn.append(draw_groups(agreement.strategies, metric=metric, title=METRICS[metric].title))
    if learning:
        drawn.append(draw_learning(learning, metric="Spearman on the sweep's test items"))
    return [one for one in drawn if one is not None]


def focus_scores(evaluation: Evaluation) -> dict[str, NDArray[np.float64]]:
    """Return the scores of up to three strategies on the scale: e-score, lager, lager-tuned, else the first ones."""
    on_scale = {one.name: one.scores for one in evaluation.scored if one.on_scale}
    return {name: on_scale[name] for name in in_focus(on_scale)}


def _ends(evaluation: Evaluation, scores: dict[str, NDArray[np.float64]]) -> tuple[float, float]:
    """Return the ends of the scale, or of all scores where it is not known."""
    if evaluation.scale is not None:
        return evaluation.scale.low, evaluation.scale.high
    everything = np.concatenate([evaluation.human, *scores.values()])
    low, high = float(np.nanmin(everything)), float(np.nanmax(everything))
    return (low, high) if low < high else (low - 0.5, high + 0.5)

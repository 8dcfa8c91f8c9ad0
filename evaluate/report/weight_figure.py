"""The layer weights that were learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .drawing import INK, MUTED, SERIES, Drawn, new_figure

if TYPE_CHECKING:
    from ...train.aggregator.aggregator import Aggregator


def draw_weights(name: str, aggregators: Sequence[Aggregator]) -> Drawn | None:
    """Draw the weight of each layer entry; of several folds the mean, and a whisker from the least to the largest."""
    given = [one.weights for one in aggregators if one.weights is not None]
    if not given:
        return None
    weights = np.array(given)
    mean, entries = weights.mean(axis=0), np.arange(weights.shape[1])
    figure, (axes,) = new_figure(7.6, 3.2)
    axes.bar(entries, mean, color=SERIES[0], width=0.72)
    if len(weights) > 1:
        axes.vlines(entries, weights.min(axis=0), weights.max(axis=0), color=INK, linewidth=1.0)
    axes.axhline(1 / len(mean), color=MUTED, linestyle="--", linewidth=1.2)
    axes.annotate("uniform", xy=(1.0, 1 / len(mean)), xycoords=("axes fraction", "data"), xytext=(4, 0),
                  textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
    axes.set_xlim(-0.7, len(mean) - 0.3)
    axes.set_xlabel("layer entry (0: embeddings; last: after the final norm)")
    axes.set_ylabel(f"weight in {name}")
    top = np.argsort(mean)[::-1][:3]
    said = ", ".join(f"{mean[entry]:.3f} at {entry}" for entry in top)
    folds = f", mean of {len(weights)} folds" if len(weights) > 1 else ""
    alt = (
        f"Bar chart of the weights of {len(mean)} layer entries{folds}. Largest: {said}; uniform: {1 / len(mean):.3f}."
    )
    return Drawn("weights", "Learned layer weights", figure, alt)

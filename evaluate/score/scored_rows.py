"""From the read-outs of some items to their rows in a file of scores.

Of a calibrated aggregator a row also says between which numbers the human score lies, with what probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.cache.shards import ShardData
from ...data.scale import Scale
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.conformal import Calibration
from ...train.aggregator.learnt_groups import without_learnt_group
from ...train.aggregator.mixing import entropy

PROBABILITY = "p_"
#: The columns of texts that come from items and models.
TEXTS = ("id", "reason")


def schema(scale: Scale, levels: Sequence[float] = ()) -> dict[str, Any]:
    """Return name and type of every column, in order.

    ``id``; ``score``, null where a row is not valid; the ends of its interval for each level (`interval_names`);
    ``p_LABEL`` for each label, the distribution that the score is
    read from, null for strategies without one; ``entropy`` of it, in nats; ``score_mass``, the model's probability of
    answering with a label, null where the last layer was not run; ``valid`` and ``reason``, empty in valid rows;
    ``prompt_sha256``, by which an evaluation tells other items under the same ids.
    """
    return {
        "id": pl.String,
        "score": pl.Float64,
        **{name: pl.Float64 for names in interval_names(levels) for name in names},
        **{f"{PROBABILITY}{label}": pl.Float64 for label in scale.labels},
        "entropy": pl.Float64,
        "score_mass": pl.Float64,
        "valid": pl.Boolean,
        "reason": pl.String,
        "prompt_sha256": pl.String,
    }


def interval_names(levels: Sequence[float]) -> list[tuple[str, str]]:
    """Return the columns of each level's interval: ``low`` and ``high``, with the level in % if there are several."""
    if len(levels) == 1:
        return [("low", "high")]
    return [(f"low_{100 * level:g}", f"high_{100 * level:g}") for level in levels]


def scored_rows(
    aggregator: Aggregator,
    data: ShardData,
    *,
    scale: Scale,
    group: NDArray[np.object_] | None = None,
    calibration: Calibration | None = None,
) -> pl.DataFrame:
    """Score some items.

    Parameters
    ----------
    aggregator : Aggregator
        Of as many layers as the read-outs.
    data : ShardData
        The read-outs; entries that the aggregator does not look at may be NaN.
    scale : Scale
        The labels of their last axis.
    group : ndarray of shape (n_rows,), dtype object, optional
        For `group-mean`, and what has an intercept for each group.
    calibration : Calibration, optional
        On this scale; with it rows have intervals, null where the mean of all groups stands for the row's own.

    Returns
    -------
    polars.DataFrame
        In the order of `data`, with the columns of `schema`.

    Raises
    ------
    LagerError
        When the aggregator does not fit the read-outs.
    """
    n, rows = len(data), np.flatnonzero(data.valid)
    score = np.full(n, np.nan)
    proba = np.full((n, len(scale)), np.nan)
    if len(rows):
        readouts = _readouts(data, scale, group).take(rows)
        score[rows] = aggregator.predict(readouts)
        if aggregator.has_proba:
            proba[rows] = aggregator.predict_proba(readouts)
    levels = [] if calibration is None else list(calibration.radii)
    held = np.where(without_learnt_group(aggregator, scale, group, n), np.nan, score)
    ends = [] if calibration is None else calibration.intervals(held).values()
    columns = {
        "id": data.item_id,
        "score": score,
        **{
            name: end
            for names, pair in zip(interval_names(levels), ends, strict=True)
            for name, end in zip(names, pair, strict=True)
        },
        **{f"{PROBABILITY}{label}": proba[:, k] for k, label in enumerate(scale.labels)},
        "entropy": entropy(proba),
        "score_mass": _score_mass(data),
        "valid": data.valid,
        "reason": data.reason,
        "prompt_sha256": [row.tobytes().hex() if row.any() else None for row in data.prompt_sha256],
    }
    return pl.DataFrame(columns, schema=schema(scale, levels)).with_columns(pl.selectors.float().fill_nan(None))


def _score_mass(data: ShardData) -> NDArray[np.float64]:
    """Return the probability of all labels together, NaN where it is not known."""
    final = data.logits_normed[:, -1].astype(np.float64) - data.logsumexp[:, None]
    return np.asarray(np.where(data.valid, np.exp(final).sum(axis=1), np.nan))


def _readouts(data: ShardData, scale: Scale, group: NDArray[np.object_] | None) -> Readouts:
    """Return rows of a shard as what aggregators take."""
    prefix = "hidden_scale_"
    poolings = [name.removeprefix(prefix) for name in data.optional if name.startswith(prefix)]
    return Readouts(
        item_id=np.array(data.item_id, dtype=object),
        logits=data.logits,
        logits_normed=data.logits_normed,
        n_tokens=data.n_tokens,
        human=np.full(len(data), np.nan),
        group=group,
        cluster=None,
        scale=scale,
        hidden={
            name: data.optional[f"hidden_{name}"].astype(np.float32) * data.optional[f"{prefix}{name}"][:, :, None]
            for name in poolings
        },
    )

"""From the read-outs of some items to their rows in a file of scores.

Of a calibrated aggregator a row also says between which numbers the human score lies, with what probability; of one
with a triage rule, whether the judge may decide the item alone.
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
from ...train.aggregator.cross_conformal import CrossCalibration
from ...train.aggregator.learnt_groups import without_learnt_group
from ...train.aggregator.mixing import entropy
from ...train.aggregator.triage_rule import HUMAN, JUDGE, TriageRule

PROBABILITY = "p_"
#: The columns of texts that come from items and models.
TEXTS = ("id", "reason")
DECISION = "decision"


def schema(scale: Scale, levels: Sequence[float] = (), *, decides: bool = False) -> dict[str, Any]:
    """Return name and type of every column, in order.

    ``id``; ``score``, null where a row is not valid; the ends of its interval for each level (`interval_names`);
    with a triage rule ``decision``, judge or human;
    ``p_LABEL`` for each label, the distribution that the score is
    read from, null for strategies without one; ``entropy`` of it, in nats; ``score_mass``, the model's probability of
    answering with a label, null where the last layer was not run; ``valid`` and ``reason``, empty in valid rows;
    ``prompt_sha256``, by which an evaluation tells other items under the same ids.
    """
    return {
        "id": pl.String,
        "score": pl.Float64,
        **{name: pl.Float64 for names in interval_names(levels) for name in names},
        **({DECISION: pl.String} if decides else {}),
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
    calibration: Calibration | CrossCalibration | None = None,
    triage: TriageRule | None = None,
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
    calibration : Calibration or CrossCalibration, optional
        On this scale; with it rows have intervals, null where the mean of all groups stands for the row's own.
    triage : TriageRule, optional
        On this scale; with it rows have a decision, human where there is no score or no interval could be had.

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
    mass, doubt = _score_mass(data), np.full(n, np.inf)
    if len(rows):
        readouts = _readouts(data, scale, group).take(rows)
        score[rows] = aggregator.predict(readouts)
        if aggregator.has_proba:
            proba[rows] = aggregator.predict_proba(readouts)
        if triage is not None:
            doubt[rows] = triage.doubt(aggregator, readouts, mass[rows])
    levels = [] if calibration is None else list(calibration.levels)
    without = without_learnt_group(aggregator, scale, group, n)
    held = np.where(without, np.nan, score)
    ends = {} if calibration is None else calibration.intervals(held)
    if isinstance(calibration, CrossCalibration) and len(rows):
        of_models = np.full((len(calibration.errors), n), np.nan)
        of_models[:, rows] = [one.predict(readouts) for one in aggregator.definition.members(aggregator)]
        ends = calibration.intervals(held, of_models)
    columns = {
        "id": data.item_id,
        "score": score,
        **{
            name: end
            for names, pair in zip(interval_names(levels), ends.values(), strict=True)
            for name, end in zip(names, pair, strict=True)
        },
        **({} if triage is None else {DECISION: _decisions(triage, doubt, without)}),
        **{f"{PROBABILITY}{label}": proba[:, k] for k, label in enumerate(scale.labels)},
        "entropy": entropy(proba),
        "score_mass": mass,
        "valid": data.valid,
        "reason": data.reason,
        "prompt_sha256": [row.tobytes().hex() if row.any() else None for row in data.prompt_sha256],
    }
    shape = schema(scale, levels, decides=triage is not None)
    return pl.DataFrame(columns, schema=shape).with_columns(pl.selectors.float().fill_nan(None))


def _decisions(triage: TriageRule, doubt: NDArray[np.float64], without: NDArray[np.bool_]) -> list[str]:
    """Return who decides each item: people where there is no score, or the group is none that was learnt."""
    return [JUDGE if alone else HUMAN for alone in (doubt <= triage.threshold) & ~without]


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

"""How unsure an aggregator is of single items: what is known of an item without its label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from .aggregator import Aggregator
from .mixing import entropy, softmax

#: Names of the columns of `doubt_signals`; the first is the doubt that is not learnt.
SIGNALS = ("deviation", "entropy", "layer spread", "middle-to-final gap", "score mass", "length")


def standard_deviation(proba: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of each row's distribution, shape (n_rows,), in units of the scale.

    Where the score is its expectation, this is the root of the squared error that the judge itself expects.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_labels)
    values : ndarray of shape (n_labels,)
    """
    from_mean = values - (proba @ values)[:, None]
    return np.asarray(np.sqrt((proba * from_mean**2).sum(axis=1)))


def plain_doubt(aggregator: Aggregator, readouts: Readouts) -> NDArray[np.float64]:
    """Return the first of `doubt_signals` alone, shape (n_items,)."""
    out = np.empty(len(readouts))
    for places, block in readouts.blocks(_names(aggregator)):
        out[places] = standard_deviation(_distribution(aggregator, block), block.scale.array)
    return out


def doubt_signals(aggregator: Aggregator, readouts: Readouts, score_mass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what may tell of an item's error, shape (n_items, n_signals), columns as in `SIGNALS`.

    Deviation and entropy are of the distribution that the score is read from, or, for strategies without one, of the
    last entry that they look at. No entry after that one is looked at, so that a judge that stops early has the same
    signals; score mass is 0 for it.

    Parameters
    ----------
    aggregator : Aggregator
    readouts : Readouts
        Finite up to the aggregator's last entry.
    score_mass : ndarray of shape (n_items,)
        The model's probability of answering with a label; NaN where it is not known.
    """
    out = np.empty((len(readouts), len(SIGNALS)))
    for places, block in readouts.blocks(_names(aggregator)):
        out[places] = _signals(aggregator, block, score_mass[places])
    return out


def _signals(aggregator: Aggregator, block: Readouts, score_mass: NDArray[np.float64]) -> NDArray[np.float64]:
    last, values = aggregator.last_entry, block.scale.array
    width = float(values.max() - values.min())
    by_entry = softmax(block.logits_normed[:, : last + 1].astype(np.float64))
    proba = _distribution(aggregator, block)
    score = by_entry @ values / width
    mass = np.zeros(len(block))
    if last == aggregator.n_layers:
        mass = np.log(np.clip(np.where(np.isnan(score_mass), 1.0, score_mass), 1e-12, 1.0))
    return np.column_stack(
        [
            standard_deviation(proba, values),
            entropy(proba),
            score.std(axis=1),
            np.abs(score[:, -1] - score[:, last // 2]),
            mass,
            np.log(np.maximum(block.n_tokens, 1)),
        ]
    )


def _distribution(aggregator: Aggregator, block: Readouts) -> NDArray[np.float64]:
    """Return what the score is read from, or the last entry looked at where it is read from no distribution."""
    if aggregator.has_proba:
        return aggregator.predict_proba(block)
    return softmax(block.logits_normed[:, aggregator.last_entry].astype(np.float64))


def _names(aggregator: Aggregator) -> list[str]:
    """Return the read-outs that are looked at."""
    return sorted({"logits_normed", *([] if aggregator.dataset is None else [aggregator.dataset])})

"""Area under the ROC curve: how well scores part the items that humans say yes to from the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..weighted.pairing import WeightedPairing
from ..weighted.segments import weighted_sums
from .yes_no import humans_yes


def auroc(pair: WeightedPairing) -> NDArray[np.float64]:
    """Return the probability that a yes outscores a no, a tie being half, NaN where humans say only one of the two.

    With R the judge's mid-ranks less their mean, ``1/2 + sum over the yeses of R / (n_yes n_no)`` (Hanley & McNeil
    1982). No threshold on the judge's side.

    Returns
    -------
    ndarray of shape (n_segments, n_resamples)
    """
    yes = humans_yes(pair).astype(np.float64)
    n_yes = weighted_sums((yes,), pair.weights, pair.segments)[0]
    pairs = n_yes * (pair.human.totals - n_yes)
    surplus = pair.segments.dot(pair.score.ranks, pair.weights * yes[:, None])
    return 0.5 + np.divide(surplus, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)

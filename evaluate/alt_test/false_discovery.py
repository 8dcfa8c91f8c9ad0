"""The false discovery rate under any dependence, by Benjamini and Yekutieli's step-up procedure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def benjamini_yekutieli(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values to compare with the rate itself: ``min_{j >= i} p_(j) m (1 + 1/2 + ... + 1/m) / j``, at most 1.

    Benjamini & Yekutieli (2001), theorem 1.3.

    Parameters
    ----------
    p : ndarray of shape (m,)
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    raised = p[order] * m * np.sum(1.0 / np.arange(1, m + 1)) / np.arange(1, m + 1)
    out = np.empty(m)
    out[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return out

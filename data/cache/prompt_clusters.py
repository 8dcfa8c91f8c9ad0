"""Clusters in which the rows of a prompt are together: they have one read-out, and human scores of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PromptClusters(NamedTuple):
    """Clusters that hold every prompt whole, and what was joined for that."""

    cluster: NDArray[np.object_] | None
    """ndarray of shape (n_items,), str or None; None where there are no clusters and no prompt repeats."""
    n_prompts: int
    """Prompts of several rows that the given clusters would have parted."""
    n_rows: int
    """The rows of these prompts."""

    @property
    def notes(self) -> list[str]:
        """What a user should know, in one line or none."""
        if not self.n_prompts:
            return []
        return [
            f"{self.n_prompts} prompts repeat, in {self.n_rows} rows: rows of one prompt are one cluster and stay "
            "together, with the clusters that they are in"
        ]


def with_prompts_whole(cluster: NDArray[np.object_] | None, prompt: NDArray[np.uint64]) -> PromptClusters:
    """Join clusters that share a prompt; a row without a cluster joins those of its prompt.

    Parameters
    ----------
    cluster : ndarray of shape (n_items,), str or None, or None
    prompt : ndarray of shape (n_items,)
        Equal numbers for equal prompts.

    Returns
    -------
    PromptClusters
        A joined cluster is called by the first of its names, or by the prompt where it has none.
    """
    keys, first, of_prompt, counts = np.unique(prompt, return_index=True, return_inverse=True, return_counts=True)
    if len(keys) == len(prompt):
        return PromptClusters(cluster, 0, 0)
    names, given = _numbered(cluster, len(prompt))
    parted = np.zeros(len(keys), dtype=np.bool_)
    parted[of_prompt[given != given[first][of_prompt]]] = True
    if not parted.any():
        return PromptClusters(cluster, 0, 0)
    joined = _components(given, of_prompt)
    # Rows by the cluster that they are in now, those whose cluster has the first name before the others.
    order = np.lexsort((of_prompt, given, joined))
    starts = np.flatnonzero(np.diff(joined[order], prepend=-1))
    called = np.empty(len(starts), dtype=object)
    for place, row in enumerate(order[starts]):
        prompt_name = f"prompt {keys[of_prompt[row]]:016x}" if counts[of_prompt[row]] > 1 else None
        called[place] = names[given[row]] if given[row] < len(names) else prompt_name
    out = np.empty(len(prompt), dtype=object)
    out[order] = np.repeat(called, np.diff(starts, append=len(order)))
    return PromptClusters(out, int(parted.sum()), int(counts[parted].sum()))


def _numbered(cluster: NDArray[np.object_] | None, n: int) -> tuple[list[str], NDArray[np.intp]]:
    """Return the clusters' names in order, and each row's number; rows without one have numbers of their own."""
    if cluster is None:
        return [], np.arange(n)
    names = sorted({one for one in cluster if one is not None})
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.array([numbers.get(one, -1) for one in cluster], dtype=np.intp)
    missing = codes < 0
    codes[missing] = len(names) + np.arange(int(missing.sum()))
    return names, codes


def _components(given: NDArray[np.intp], of_prompt: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each row a number that rows share which clusters and prompts connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_given, n_prompts = int(given.max()) + 1, int(of_prompt.max()) + 1
    ends = (given, n_given + of_prompt)
    links = coo_array((np.ones(len(given), dtype=np.int8), ends), shape=(n_given + n_prompts,) * 2)
    return connected_components(links, directed=False)[1][given].astype(np.intp)

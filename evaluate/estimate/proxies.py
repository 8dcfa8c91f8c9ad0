"""Judges as proxies of the human score: one score of every item, from one judge or several, fitted by folds or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ...train.solvers.folds import cluster_folds
from ...train.solvers.ridge_path import RidgePath
from ..agreement.fold_scores import FoldScores
from ..weighted.score_arrays import finite_or_nan

Floats = NDArray[np.float64]
_FOLDS = 5


class Proxy(NamedTuple):
    """Scores of all items, shape (n_items,), and whether each is the judge's own, not a guess.

    With those of every fold's model where it was fitted by folds.
    """

    scores: Floats
    scored: NDArray[np.bool_]
    folded: FoldScores | None = None

    def own(self) -> Floats:
        """Return each item's score by the model that has not seen it; for items without a label it is any model's."""
        if self.folded is None:
            return self.scores
        return np.asarray(self.folded.by_model[self.folded.fold, np.arange(len(self.scores))], dtype=np.float64)

    def for_domains(self, domain: NDArray[np.intp], weight: Floats) -> Floats:
        """Return one score an item: of a labelled one its own model's, else the mean over models.

        A model counts in that mean by the labelled weight that its fold has in the item's domain, so that what it
        scores too high or too low is in both parts of the correction alike.
        """
        if self.folded is None:
            return self.scores
        out = self.own().copy()
        models = len(self.folded.by_model)
        labelled = weight > 0
        for one in range(int(domain.max(initial=-1)) + 1):
            inside = domain == one
            rows = inside & labelled
            held = np.bincount(self.folded.fold[rows], weights=weight[rows], minlength=models)
            part = held / held.sum() if held.sum() > 0 else np.full(models, 1 / models)
            out[inside & ~labelled] = part @ self.folded.by_model[:, inside & ~labelled]
        return out


def read_proxies(
    judges: Mapping[str, ArrayLike | FoldScores], n_items: int, domain: NDArray[np.intp]
) -> dict[str, Proxy]:
    """Return each judge's scores.

    An item that a judge has not scored gets the mean of its scores in the item's domain, or of all its scores where
    there is none: any guess is right that is made without the human scores, as long as labelled items are guessed as
    often as others (`missing_scores.check_missing`).
    """
    proxies = {}
    for name, given in judges.items():
        scores = given.by_model if isinstance(given, FoldScores) else given
        table = np.atleast_2d(finite_or_nan(scores, f"the scores of {name}"))
        if table.shape[1:] != (n_items,):
            raise LagerError(f"the scores of {name} have shape {table.shape}, expected one for each of {n_items} items")
        scored = np.asarray(np.isfinite(table).all(axis=0))
        if not scored.any():
            raise LagerError(f"{name} has scored no item: check its ids")
        table = _guessed(table, scored, domain)
        if isinstance(given, FoldScores):
            fold = np.where((given.fold >= 0) & (given.fold < len(table)), given.fold, 0)
            proxies[name] = Proxy(table.mean(axis=0), scored, FoldScores(table, fold))
        else:
            proxies[name] = Proxy(table[0], scored)
    if not proxies:
        raise LagerError("there is no judge: give the scores of one at least")
    return proxies


def _guessed(table: Floats, scored: NDArray[np.bool_], domain: NDArray[np.intp]) -> Floats:
    """Return every model's scores, shape (n_models, n_items), with the mean of its domain where there is none."""
    out = np.where(scored, table, table[:, scored].mean(axis=1, keepdims=True))
    for one in np.unique(domain[~scored]):
        inside = domain == one
        if one >= 0 and (inside & scored).any():
            out[:, inside & ~scored] = table[:, inside & scored].mean(axis=1, keepdims=True)
    return np.asarray(out, dtype=np.float64)


def mixed(
    proxies: Sequence[Proxy], human: Floats, weight: Floats, cluster: NDArray[np.intp], *, seed: int
) -> tuple[Proxy, Floats]:
    """Return several proxies as one, and how much each counts in it: shape (n_proxies,).

    Human scores are predicted by ridge regression on the proxies, each with deviation 1, fitted without one fold of
    clusters after another; leaving out clusters of the rest decides how far it is shrunk.
    """
    if len(proxies) == 1:
        return proxies[0], np.ones(1)
    rows = np.flatnonzero(weight > 0)
    n_clusters = len(np.unique(cluster[rows]))
    if n_clusters < 4:
        raise LagerError(
            f"several judges are mixed by leaving clusters out, and labels are in {n_clusters}: give one judge, or "
            "labels in four clusters or more"
        )
    fold, n_folds = _folds(proxies, rows, cluster, seed=seed, n_folds=min(_FOLDS, n_clusters // 2))
    own = np.column_stack([one.own() for one in proxies])
    models, slopes = np.empty((n_folds, len(human))), np.empty((n_folds, len(proxies)))
    for model in range(n_folds):
        train = rows[fold[rows] != model]
        part = weight[train] / weight[train].sum()
        centre = part @ own[train]
        spread = np.sqrt(part @ (own[train] - centre) ** 2)
        spread = np.where(spread > 0, spread, 1.0)
        codes = np.unique(cluster[train], return_inverse=True)[1]
        path = RidgePath.of((own[train] - centre) / spread, human[train], part, codes)
        slopes[model] = path.coefficients(path.best()[0])
        scores = np.column_stack([one.scores if one.folded is None else _of_model(one, model) for one in proxies])
        models[model] = part @ human[train] + ((scores - centre) / spread) @ slopes[model]
    return Proxy(models.mean(axis=0), np.ones(len(human), dtype=bool), FoldScores(models, fold)), slopes.mean(axis=0)


def _of_model(proxy: Proxy, model: int) -> Floats:
    """Return the scores of a fold's model."""
    return proxy.scores if proxy.folded is None else np.asarray(proxy.folded.by_model[model], dtype=np.float64)


def _folds(
    proxies: Sequence[Proxy], rows: NDArray[np.intp], cluster: NDArray[np.intp], *, seed: int, n_folds: int
) -> tuple[NDArray[np.intp], int]:
    """Return each item's fold, and how many there are: those that the proxies were fitted by, if any were."""
    folded = [one.folded for one in proxies if one.folded is not None]
    if folded:
        first = folded[0]
        if any(not np.array_equal(one.fold[rows], first.fold[rows]) for one in folded):
            raise LagerError("judges fitted by other folds cannot be mixed: fit them in one call, by the same folds")
        return first.fold, len(first.by_model)
    fold = np.zeros(len(cluster), dtype=np.intp)
    for number, split in enumerate(cluster_folds(cluster[rows], len(rows), n_folds, seed)):
        fold[rows[split.test]] = number
    return fold, n_folds

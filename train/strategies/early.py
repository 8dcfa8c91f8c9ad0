"""`lager-early`: lager-tuned that stops reading after the first layers, so that the rest need not be computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ..aggregator.group_intercepts import named_intercepts
from ..aggregator.layer_options import Constraint
from ..aggregator.strategy import Fitted, Learnt
from .layer_mixture import FittedMixture, means_over_folds, padded
from .single_layer import entry_number, last_weighed

if TYPE_CHECKING:
    from ..solvers.folds import Split
    from ..solvers.minimise import Minimum
    from ..solvers.mixture_loss import MixtureLoss


@dataclass(frozen=True)
class Early(FittedMixture):
    """lager-tuned on entries 0 to m.

    For ``lager-early`` m is the smallest whose out-of-fold agreement (`level_spearman`, the mean over folds) comes
    within one standard error of the best m's (Breiman et al. 1984, section 3.4.3); ``lager-early:M`` names it.
    """

    key: str = "lager-early"
    summary: str = "lager-tuned on the first entries only, as few as do"
    last: int | None = None
    forms = ("lager-early:M",)
    stops_early = True

    @property
    def argument(self) -> str:
        """The last entry, where it is named."""
        return "" if self.last is None else str(self.last)

    def with_argument(self, text: str) -> Early | None:
        """Return the strategy with a last entry that is named."""
        number = entry_number(text)
        return None if number is None else replace(self, last=number, summary=f"lager-tuned on entries 0 to {number}")

    @property
    def chooses_by_clusters(self) -> bool:
        """The last entry, unless it is named."""
        return self.last is None

    def last_entry(self, fitted: Fitted) -> int:
        """Return the last entry that has a weight."""
        return last_weighed(fitted)

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Choose the last entry, and fit the weights up to it."""
        from ..solvers.layer_weights import fit_converged
        from ..solvers.training_items import inner_folds, level_groups, training_loss

        constraint = self.options.constraint
        loss = training_loss(train, self.options)
        training: dict[str, object] = {"n": len(train)}
        last = self.last
        if last is None:
            folds = inner_folds(train, strategy=self.name, seed=seed)
            by_fold = early_curve(loss, folds, constraint)
            last = first_good_entry(by_fold)
            curve = [None if np.isnan(mean) else float(mean) for mean in means_over_folds(by_fold)]
            training |= {"folds": len(folds), "spearman_by_entry": curve}
        if last >= loss.n_entries:
            raise LagerError(f"there is no {self.name}: the entries are 0 to {loss.n_entries - 1}; name one of them")
        fit = fit_converged(loss.first(last + 1), constraint)
        training |= {"loss": fit.loss, "loss_uniform": fit.loss_uniform, **fit.settings}
        parameters = {"last_entry": last, **named_intercepts(level_groups(train)[0], fit.intercepts)}
        return Learnt(padded(fit.weights, train.logits.shape[1]), parameters, training)

    def told(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the last entry."""
        return {"last entry": f"{parameters['last_entry']:g}"}


def early_curve(loss: MixtureLoss, folds: list[Split], constraint: Constraint) -> NDArray[np.float64]:
    """Return the agreement on each left-out fold of lager-tuned on entries 0 to m, NaN where undefined.

    Returns
    -------
    ndarray of shape (n_entries, n_folds)
    """
    from ..solvers.minimise import minimise
    from ..solvers.rank_correlation import level_spearman

    out = np.full((loss.n_entries, len(folds)), np.nan)
    for column, fold in enumerate(folds):
        train, test = loss.take(fold.train), loss.take(fold.test)
        fit: Minimum | None = None
        for entry in range(loss.n_entries):  # each fit starts from the one before: one more entry changes little
            start = np.ones(1) if fit is None else np.concatenate([fit.weights, [0.0], fit.intercepts])
            fit = minimise(train.first(entry + 1), constraint, start=start)
            scores = test.first(entry + 1).expected(fit.parameters)
            rho = level_spearman(scores, test.human, weight=test.weight, group=test.group)
            out[entry, column] = np.nan if rho is None else rho
    return out


def first_good_entry(by_fold: NDArray[np.float64]) -> int:
    """Return the first entry within one standard error of the best mean."""
    means = means_over_folds(by_fold)
    if np.isnan(means).all():
        raise LagerError("lager-early: no number of layers ranks the left-out items; train on more items, or lager")
    best = int(np.nanargmax(means))
    values = by_fold[best][~np.isnan(by_fold[best])]
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return int(np.argmax(np.nan_to_num(means, nan=-2.0) >= means[best] - error))

"""What early exit costs: the depth that was chosen on training folds, and its price on the evaluated items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...data.items.item_table import object_column
from ..agreement.agreement import evaluate_scores
from ..agreement.difference import Difference

if TYPE_CHECKING:
    from .evaluation import Evaluation

BASELINE = "e-score"
METRIC = "spearman"
#: "No worse" is said only where the whole interval of the difference lies above this.
MARGIN = -0.01


class EarlyExit(NamedTuple):
    """A strategy that reads the first layers only, against `BASELINE` over all of them.

    Attributes
    ----------
    strategy : str
        What the table calls it.
    entry : int
        The last layer entry it reads, so the blocks that are run.
    n_layers : int
        The blocks of the model, L.
    training : tuple of float or None
        Mean Spearman on left-out training folds of entries 0 to m, for each m; empty where m was given.
    difference : Difference
        Its Spearman on the evaluated items less the baseline's, at the evaluation's level and on its draws.
    """

    strategy: str
    entry: int
    n_layers: int
    training: tuple[float | None, ...]
    difference: Difference

    @property
    def no_worse(self) -> bool:
        """Whether the lower bound of the difference lies above `MARGIN`."""
        return self.difference.low is not None and self.difference.low > MARGIN

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "strategy": self.strategy,
            "last_entry": self.entry,
            "layers": self.n_layers,
            "share_of_blocks_cut": 1 - self.entry / self.n_layers,
            "training": list(self.training),
            "baseline": BASELINE,
            "metric": METRIC,
            **self.difference.as_json(),
            "no_worse": self.no_worse,
        }

    def in_words(self) -> str:
        """Return one sentence or two for the report."""
        chosen = "chosen on training folds" if self.training else "as it was told"
        cut = f"{self.strategy} runs {self.entry} of {self.n_layers} blocks, {chosen}"
        one = self.difference
        if one.difference is None or one.low is None or one.high is None:
            return f"{cut}; its difference to {BASELINE} is not known: {one.reason}."
        verdict = "no worse" if self.no_worse else "not shown to be no worse"
        return (
            f"{cut}; on these items its Spearman less {BASELINE}'s is {one.difference:+.3f} [{one.low:+.3f}, "
            f"{one.high:+.3f}]: {verdict} by a margin of {-MARGIN:g}."
        )


def early_exits(evaluation: Evaluation) -> list[EarlyExit]:
    """Return every strategy of an evaluation that reads the first layers only, where the baseline was evaluated too.

    Those fitted by folds read as many layers as each fold chose, and are left out.
    """
    scores = {one.name: one.scores for one in evaluation.scored}
    if BASELINE not in scores or evaluation.cache is None:
        return []
    found = {
        name: fitted[0]
        for name, fitted in evaluation.aggregators.items()
        if name in scores and len(fitted) == 1 and fitted[0].definition.stops_early
    }
    if not found:
        return []
    differences = _differences(evaluation, {name: scores[name] for name in (*found, BASELINE)})
    return [
        EarlyExit(
            name, one.last_entry, one.n_layers, tuple(one.training.get("spearman_by_entry", ())), differences[name]
        )
        for name, one in found.items()
    ]


def _differences(evaluation: Evaluation, scores: Mapping[str, Any]) -> dict[str, Difference]:
    """Return each strategy's difference to the baseline, at the level and on the draws of the evaluation."""
    agreement, items = evaluation.agreement, evaluation.items
    compared = evaluate_scores(
        evaluation.human,
        scores,
        group=evaluation.group,
        cluster=object_column(items, "cluster"),
        system=object_column(items, "system"),
        level=agreement.level,
        metrics=(METRIC,),
        scale=evaluation.scale,
        baseline=BASELINE,
        interval=agreement.interval,
        resamples=agreement.resamples,
        seed=agreement.seed,
    ).comparison
    return {} if compared is None else {name: of[METRIC] for name, of in compared.differences.items()}

"""lager: score text with an open LLM judge, read at every layer, so that its scores agree with humans.

`extract_features` reads prompts with a frozen LM into a `FeatureCache`; `LagerAggregator` learns how to mix the layers;
`evaluate_scores` measures agreement with humans. Only the first needs torch, and it is imported when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .data.version import VERSION

if TYPE_CHECKING:
    from .data.cache.feature_cache import FeatureCache
    from .data.errors import LagerError
    from .data.scale import Scale
    from .evaluate.agreement.agreement import evaluate_scores
    from .evaluate.alt_test.alt_test import alt_test
    from .evaluate.alt_test.one_more_rater import one_more_rater
    from .evaluate.alt_test.uncertainty import agreement_by_uncertainty
    from .evaluate.check.check_scores import check_scores
    from .evaluate.check.readout_shift import readout_shift
    from .evaluate.estimate.means import estimate_means
    from .evaluate.plan.draw import draw_items
    from .evaluate.plan.pilot import plan_from_pilot
    from .evaluate.plan.plan import plan_labels
    from .evaluate.score.item_judge import ItemJudge as Judge
    from .evaluate.score.item_judge import Score
    from .evaluate.triage.triage import triage
    from .extract.extractor import extract_features
    from .train.estimators.lager import LagerAggregator

__version__ = VERSION
__all__ = [
    "FeatureCache",
    "Judge",
    "LagerAggregator",
    "LagerError",
    "Scale",
    "Score",
    "__version__",
    "agreement_by_uncertainty",
    "alt_test",
    "check_scores",
    "draw_items",
    "estimate_means",
    "evaluate_scores",
    "extract_features",
    "one_more_rater",
    "plan_from_pilot",
    "plan_labels",
    "readout_shift",
    "triage",
]

_HOMES = {
    "FeatureCache": ".data.cache.feature_cache",
    "Judge": ".evaluate.score.item_judge:ItemJudge",
    "Score": ".evaluate.score.item_judge",
    "LagerError": ".data.errors",
    "Scale": ".data.scale",
    "LagerAggregator": ".train.estimators.lager",
    "agreement_by_uncertainty": ".evaluate.alt_test.uncertainty",
    "alt_test": ".evaluate.alt_test.alt_test",
    "one_more_rater": ".evaluate.alt_test.one_more_rater",
    "draw_items": ".evaluate.plan.draw",
    "plan_from_pilot": ".evaluate.plan.pilot",
    "plan_labels": ".evaluate.plan.plan",
    "estimate_means": ".evaluate.estimate.means",
    "evaluate_scores": ".evaluate.agreement.agreement",
    "extract_features": ".extract.extractor",
    "check_scores": ".evaluate.check.check_scores",
    "readout_shift": ".evaluate.check.readout_shift",
    "triage": ".evaluate.triage.triage",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import lager` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lager' has no attribute {name!r}")
    module, _, other = _HOMES[name].partition(":")
    value = getattr(import_module(module, __name__), other or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})

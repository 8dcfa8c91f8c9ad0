"""Two readings of the same items: the check of every judge that both have, and the shift of the layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.same_readouts import listed_names, unlike
from ...data.errors import LagerError
from ...train.aggregator.mixing import softmax
from ...train.files.applies import other_reading
from ...train.files.prompt_settings import prompt_settings_of
from .check_scores import MAX_MISSING, Check, check_scores
from .joined import Joined
from .readout_shift import ReadoutShift, readout_shift


@dataclass(frozen=True)
class Margins:
    """What counts as no change; see `check_scores`."""

    score: float
    item: float | None = None
    agreement: float | None = None
    metric: str = "spearman"
    missing: float = MAX_MISSING


@dataclass(frozen=True)
class Checked:
    """What a comparison of two readings found.

    Parameters
    ----------
    checks : mapping of str to Check
        By judge.
    shift : ReadoutShift or None
        Of the layers, between two caches.
    no_shift : str
        Why there is none, where there is none.
    notes : tuple of str
        What a reader should know, a line each.
    """

    checks: Mapping[str, Check]
    shift: ReadoutShift | None
    no_shift: str
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The worst of the judges' verdicts."""
        verdicts = {check.verdict for check in self.checks.values()}
        return next(one for one in ("FAIL", "INCONCLUSIVE", "NOT CHECKED", "PASS") if one in verdicts)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        layers = {"reason": self.no_shift} if self.shift is None else self.shift.as_json()
        return {
            "verdict": self.verdict,
            "judges": [{"judge": name, **check.as_json()} for name, check in self.checks.items()],
            "layers": layers,
            "notes": list(self.notes),
        }


def check_readings(joined: Joined, margins: Margins, *, permutations: int = 999, seed: int = 42) -> Checked:
    """Check every judge that both readings have."""
    baseline, new = joined.baseline, joined.new
    judges = [name for name in baseline.judges if name in new.judges]
    if not judges:
        raise LagerError(f"no judge is in both: {', '.join(baseline.judges)} and {', '.join(new.judges)}")
    human = None if np.isnan(joined.human).all() else joined.human
    cache = baseline.cache or new.cache
    span = None if cache is None else float(cache.scale.high - cache.scale.low)
    checks = {
        name: check_scores(
            *joined.scores(name),
            margin=margins.score,
            item_margin=margins.item,
            human=human,
            agreement_margin=margins.agreement,
            metric=margins.metric,
            group=joined.group,
            cluster=joined.cluster,
            score_range=span,
            max_missing=margins.missing,
        )
        for name in judges
    }
    shift, why_not = _shift(joined, permutations=permutations, seed=seed)
    notes = [*baseline.notes, *new.notes]
    if baseline.cache is not None and new.cache is not None:
        notes += _differences(baseline.cache, new.cache)
        notes += _other_texts(joined, baseline.cache, new.cache)
    notes += _missing(next(iter(checks.values())))
    return Checked(checks, shift, why_not, tuple(notes))


def _shift(joined: Joined, *, permutations: int, seed: int) -> tuple[ReadoutShift | None, str]:
    """Return the shift of the layers over the items that are valid in both caches, or why there is none."""
    then, now = joined.baseline.cache, joined.new.cache
    if then is None or now is None:
        return None, "layers are compared between two caches"
    if then.n_layers != now.n_layers:
        return None, f"one model has {then.n_layers} layers, the other {now.n_layers}"
    common = np.intersect1d(joined.at_baseline[then.valid], joined.at_new[now.valid])
    if not len(common):
        return None, "no item is valid in both"
    by_layer = [_by_layer(then, joined.at_baseline, common), _by_layer(now, joined.at_new, common)]
    cluster = None if joined.cluster is None else joined.cluster[common]
    try:
        return readout_shift(*by_layer, cluster=cluster, permutations=permutations, seed=seed), ""
    except LagerError as error:  # one cluster
        return None, str(error)


def _by_layer(cache: FeatureCache, at: NDArray[np.intp], common: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the expected score that each layer entry gives of the items `common`, shape (n_common, n_layers + 1)."""
    valid = np.flatnonzero(cache.valid)
    order = np.argsort(at[valid])
    rows = order[np.searchsorted(at[valid], common, sorter=order)]  # among the valid ones
    out = np.empty((len(rows), cache.n_layers + 1))
    for places, block in cache.readouts().take(rows).blocks(["logits_normed"]):
        out[places] = softmax(block.logits_normed.astype(np.float64)) @ cache.scale.array
    return out


def _differences(then: FeatureCache, now: FeatureCache) -> list[str]:
    """Return in what two caches were read differently."""
    lines = []
    if names := unlike(now.readout_id, now.manifest.get("readout_inputs"), then.manifest["readout_inputs"]):
        lines.append(f"read-outs differ in {listed_names(names)}")
    if then.fingerprint != now.fingerprint and not names:
        settings = [prompt_settings_of(one.manifest["fingerprint_inputs"]) for one in (then, now)]
        lines.append(f"prompts are read in another way: {other_reading(*settings)}")
    return lines


def _other_texts(joined: Joined, then: FeatureCache, now: FeatureCache) -> list[str]:
    """Return a line where items of one id were read as other prompts, and the caches do not say why."""
    if then.fingerprint != now.fingerprint:
        return []
    hashes = [then.prompts(), now.prompts()]
    n = sum(hashes[0][item] != one for item, one in hashes[1].items() if item in hashes[0])
    return [f"{n} items have another prompt under the same id: they may be other texts, read by one judge"] if n else []


def _missing(check: Check) -> list[str]:
    """Return lines for the items that only one reading has a score of."""
    mean = check.mean
    counts = (("the baseline", mean.n_baseline - mean.n_both), ("the new reading", mean.n_new - mean.n_both))
    lines = [f"{n} items have a score in {which} alone, and are in no test" for which, n in counts if n]
    if check.missing > check.max_missing:
        lines.append(
            f"{check.missing:.1%} of the items that had a score have none now, more than {check.max_missing:.1%}: "
            "nothing passes (give a baseline of the same items, or --missing SHARE where they were left out by intent)"
        )
    return lines

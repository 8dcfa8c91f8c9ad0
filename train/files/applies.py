"""Whether an aggregator applies to read-outs: of which model they must be, and what else is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...data.cache.manifest import differing
from ...data.cache.same_readouts import listed_names, unlike
from ...data.errors import LagerError
from ...data.scale import Scale
from .prompt_settings import PromptSettings, prompt_settings_of

if TYPE_CHECKING:
    from ...data.cache.feature_cache import FeatureCache
    from .aggregator_file import AggregatorRecord


class ReadFrom(NamedTuple):
    """Read-outs that an aggregator is to be applied to.

    Attributes
    ----------
    name : str
        What messages call them, such as ``cache flask``.
    n_layers : int
        L; the layer axis has L + 1 entries.
    readout_inputs : mapping
        Weights, settings, read-out and dtype, see `lager.data.cache.same_readouts`.
    fingerprint : str or None
        Of everything that decides how a prompt is read; None where that is not known yet.
    scale : Scale
        The labels.
    private : bool
        Whether prompts are known by keyed hashes.
    reading : PromptSettings or None
        How its prompts were read, where that is known.
    """

    name: str
    n_layers: int
    readout_inputs: Mapping[str, Any]
    fingerprint: str | None
    scale: Scale
    private: bool = False
    reading: PromptSettings | None = None


def check_applies(record: AggregatorRecord, cache: FeatureCache, *, force: bool = False) -> list[str]:
    """Check that an aggregator was fitted on read-outs like the cache's; see `check_applies_to`."""
    source = ReadFrom(
        f"cache {cache.path}", cache.n_layers, cache.manifest["readout_inputs"], cache.fingerprint, cache.scale,
        private=cache.private, reading=prompt_settings_of(cache.manifest["fingerprint_inputs"]),
    )  # fmt: skip
    return check_applies_to(record, source, force=force)


def check_applies_to(record: AggregatorRecord, source: ReadFrom, *, force: bool = False) -> list[str]:
    """Check that an aggregator was fitted on such read-outs."""
    aggregator, notes = record.aggregator, []
    if aggregator.definition.reads_layers and aggregator.n_layers != source.n_layers:
        raise LagerError(
            f"the aggregator ({aggregator.strategy}) was fitted on {aggregator.n_layers} layers and {source.name} has "
            f"{source.n_layers}: train one on read-outs of the same model"
        )
    if record.readout_id is None:
        notes.append("the aggregator does not say which read-outs it was fitted on")
    elif names := unlike(record.readout_id, record.readout_inputs, source.readout_inputs):
        difference = f"fitted on other read-outs than those of {source.name} ({listed_names(names)} differ)"
        if not force:
            raise LagerError(f"the aggregator was {difference}: train one on this model, or use --force")
        notes.append(f"forced: the aggregator was {difference}")
    elif source.fingerprint is not None and record.fingerprint != source.fingerprint:
        notes.append(
            f"the aggregator was fitted on prompts read as {_short(str(record.fingerprint))}, {source.name} has "
            f"{_short(source.fingerprint)}: {other_reading(record.reading, source.reading)}"
        )
    if aggregator.scale != source.scale:
        what = source.name.partition(" ")[0]
        if aggregator.definition.bound_to_scale:
            raise LagerError(
                f"{aggregator.strategy} learnt scores on {aggregator.scale}, the {what} is on {source.scale}: train it "
                "anew"
            )
        notes.append(f"the aggregator was fitted on scale {aggregator.scale}, the {what} is on {source.scale}")
    if record.private and not source.private:
        notes.append(
            "the aggregator was fitted on a --private cache: items that it was fitted on are not recognised here"
        )
    return notes + _doubts_of_intervals(record, source) + _doubts_of_decisions(record, source)


def other_reading(mine: PromptSettings | None, theirs: PromptSettings | None) -> str:
    """Return what differs between two readings of prompts by one model, as far as they say how they were read."""
    if mine is None or theirs is None:
        return "another template or condition of the same model"
    if names := differing(vars(mine), vars(theirs)):
        return f"another {listed_names(names)} of the same model"
    return "the model's files beside its weights (tokenizer, chat template, config.json), or its attention, differ"


def _doubts_of_intervals(record: AggregatorRecord, source: ReadFrom) -> list[str]:
    if (calibration := record.calibration) is None:
        return []
    if calibration.scale != source.scale:
        return [f"no intervals: they were calibrated on scale {calibration.scale}, scores are on {source.scale}"]
    if source.fingerprint not in (None, calibration.fingerprint):
        return ["intervals were calibrated on prompts read in another way: their coverage is not known here"]
    return []


def _doubts_of_decisions(record: AggregatorRecord, source: ReadFrom) -> list[str]:
    if (rule := record.triage) is None:
        return []
    if rule.scale != source.scale:
        return [f"no decisions: their threshold was found on scale {rule.scale}, scores are on {source.scale}"]
    if source.fingerprint not in (None, rule.fingerprint):
        return ["the threshold of decisions was found on prompts read in another way: their risk is not known here"]
    return []


def _short(digest: str) -> str:
    return digest[:12]

"""Scores of the items of a feature cache, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.shards import ShardData, prompt_keys
from ...data.files.canonical import sha256_file
from ...data.scale import Scale
from ...train.aggregator.learnt_groups import Ungrouped, learnt_groups, without_learnt_group
from ...train.files.aggregator_file import AggregatorRecord, in_sample, load_aggregator
from ...train.files.applies import check_applies
from .journal import ScoreJournal
from .kept_columns import kept_values
from .scored_rows import scored_rows


class Scored(NamedTuple):
    """What `score_cache` and `score_items` return.

    Attributes
    ----------
    out : Path
        The file of scores.
    n_items, n_valid : int
        Its rows, and those with a score.
    n_in_sample : int
        Rows whose prompt the aggregator was fitted on.
    notes : list of str
        What the user should know, one line each.
    """

    out: Path
    n_items: int
    n_valid: int
    n_in_sample: int
    notes: list[str]


def score_cache(
    cache: FeatureCache,
    aggregator: Path,
    *,
    out: Path,
    force: bool = False,
    raw: bool = False,
    keep_columns: Sequence[str] = (),
    advance: Callable[[int], None] | None = None,
) -> Scored:
    """Score every item of a cache; a run that was killed goes on where it stopped."""
    record = load_aggregator(aggregator)
    notes = check_applies(record, cache, force=force)
    of = {"aggregator": sha256_file(aggregator), "cache": cache.content_hash}
    columns = columns_of(record, cache.scale)
    with ScoreJournal(out, cache.scale, of, **columns, beside=keep_columns, raw=raw) as journal:
        tally = Tally(record, journal)
        group = cache.column("group")
        first = 0
        for number, shard in enumerate(cache.manifest["shards"]):
            rows = slice(first, first + shard["rows"])
            first = rows.stop
            if rows.stop > journal.n_rows:
                beside = kept_values(keep_columns, cache.items[rows]) if keep_columns else ()
                data = cache.read_shard(number)
                tally.append(data, group=None if group is None else group[rows], beside=beside)
            if advance is not None:
                advance(shard["rows"])
        journal.finish()
    return tally.scored(notes, remedy="extract with --group")


def columns_of(record: AggregatorRecord, scale: Scale) -> dict[str, Any]:
    """Return what a `ScoreJournal` has to know of the columns that scores on this scale have."""
    return {"levels": levels_of(record, scale), "decides": record.triage_for(scale) is not None}


def levels_of(record: AggregatorRecord, scale: Scale) -> list[float]:
    """Return the levels of the intervals that scores on this scale have."""
    calibration = record.calibration_for(scale)
    return [] if calibration is None else list(calibration.levels)


def ungrouped_note(record: AggregatorRecord, scale: Scale, counts: Ungrouped, *, remedy: str) -> list[str]:
    """Return a line on items that are in no group which the aggregator learnt, and how to give it."""
    unheld = " and no interval" if levels_of(record, scale) else ""
    unheld += "; people decide them" if record.triage_for(scale) is not None else ""
    known = learnt_groups(record.aggregator, scale) or frozenset[str]()
    return [f"{line}{unheld}; {remedy}" for line in counts.note(known)]


class Tally:
    """Scores parts of the items, writes them, and counts.

    Parameters
    ----------
    record : AggregatorRecord
    journal : ScoreJournal
    """

    def __init__(self, record: AggregatorRecord, journal: ScoreJournal) -> None:
        self.record, self.journal = record, journal
        self.n_valid = int(journal.kept.get("valid", 0))
        self.n_in_sample = int(journal.kept.get("in_sample", 0))
        n, n_items, unknown = journal.kept.get("ungrouped", Ungrouped())
        self.ungrouped = Ungrouped(n, n_items, tuple(unknown))

    def append(
        self, data: ShardData, *, group: NDArray[np.object_] | None, beside: Sequence[dict[str, Any]] = (), **keep: Any
    ) -> None:
        """Score and write the next rows; `keep` is remembered with the counts."""
        scale = self.journal.scale
        calibration, rule = self.record.calibration_for(scale), self.record.triage_for(scale)
        rows = scored_rows(self.record.aggregator, data, scale=scale, group=group, calibration=calibration, triage=rule)
        self.n_valid += int(data.valid.sum())
        if self.record.training_rows:
            self.n_in_sample += int(in_sample(self.record, prompt_keys(data.prompt_sha256)).sum())
        without = without_learnt_group(self.record.aggregator, scale, group, len(data)) & data.valid
        self.ungrouped = self.ungrouped.plus(without, group)
        counts = {"valid": self.n_valid, "in_sample": self.n_in_sample, "ungrouped": list(self.ungrouped)}
        self.journal.append(rows, beside=beside, keep={**counts, **keep})

    def scored(self, notes: list[str], *, remedy: str) -> Scored:
        """Return the counts; `remedy` says how items get groups."""
        notes = [*notes, *ungrouped_note(self.record, self.journal.scale, self.ungrouped, remedy=remedy)]
        if self.n_in_sample:
            notes = [*notes, f"{self.n_in_sample} of {self.journal.n_rows} items are among the training items"]
        return Scored(self.journal.out, self.journal.n_rows, self.n_valid, self.n_in_sample, notes)

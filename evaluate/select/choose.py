"""Which records are taken: the best first, by share, count or threshold, within quotas, without near-duplicates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...data.errors import LagerError
from ...data.items.values import label_text
from .near_duplicates import NearDuplicates
from .records import Record


@dataclass(frozen=True)
class Choice:
    """What was taken and what was passed over.

    Parameters
    ----------
    chosen : list of Record
        Best first; of equal scores the earlier one.
    duplicates : int
        Records passed over as near-duplicates of a better one.
    over_quota : int
        Records passed over because their group was full.
    """

    chosen: list[Record]
    duplicates: int
    over_quota: int


def choose(
    records: Sequence[Record],
    *,
    top: float | None = None,
    count: int | None = None,
    threshold: float | None = None,
    quota: str | None = None,
    per_group: int | None = None,
    dedupe: Sequence[str] = (),
    similarity: float = 0.8,
) -> Choice:
    """Go through the records from the best on and take what the limits allow.

    A near-duplicate of a record taken, or one of a full group, is passed over, and the next best takes its place.
    """
    total = _total(len(records), top, count)
    if total is None and threshold is None and per_group is None and not dedupe:
        raise LagerError(
            "nothing says which records to take: give --top, --count, --threshold, --quota COLUMN:N or --dedupe"
        )
    _check_columns(records, [*([] if quota is None else [quota]), *dedupe])
    group = None if quota is None else [_cell(record, quota) for record in records]
    most = _most(group, per_group, total)
    texts = ["\n".join(_cell(record, column) for column in dedupe) for record in records] if dedupe else []
    known = NearDuplicates(texts, similarity=_share(similarity, "--similarity")) if dedupe else None
    chosen: list[Record] = []
    taken: Counter[str] = Counter()
    duplicates = over_quota = 0
    for place in sorted(range(len(records)), key=lambda one: -records[one].score):
        if (total is not None and len(chosen) >= total) or (threshold is not None and records[place].score < threshold):
            break
        if group is not None and taken[group[place]] >= most:
            over_quota += 1
        elif known is not None and known.earlier(place) is not None:
            duplicates += 1
        else:
            chosen.append(records[place])
            taken.update([] if group is None else [group[place]])
    return Choice(chosen, duplicates, over_quota)


def _total(n: int, top: float | None, count: int | None) -> int | None:
    """Return how many records to take, None for no limit."""
    if top is not None and count is not None:
        raise LagerError("--top and --count both say how many records to take: give one of them")
    if count is not None:
        if count < 1:
            raise LagerError(f"--count {count}: expected at least 1")
        return count
    # A share such as 0.1 of 1,000 is 100, though 0.1 * 1000 need not be in binary.
    return None if top is None else math.ceil(round(_share(top, "--top") * n, 9))


def _share(value: float, what: str) -> float:
    if not 0 < value <= 1:
        raise LagerError(f"{what} {value:g}: expected a share above 0 and at most 1")
    return value


def _most(group: Sequence[str] | None, per_group: int | None, total: int | None) -> int:
    """Return how many records of a group may be taken."""
    if group is None:
        return 0
    if per_group is not None:
        if per_group < 1:
            raise LagerError(f"--quota with {per_group} of a group: expected at least 1")
        return per_group
    if total is None:
        raise LagerError("--quota COLUMN shares out what --top or --count takes: give one of them, or --quota COLUMN:N")
    return math.ceil(total / len(set(group)))


def _check_columns(records: Sequence[Record], columns: Sequence[str]) -> None:
    """Raise `LagerError` for a column that no record has."""
    known = list(dict.fromkeys(name for record in records for name in record.row))
    if missing := [name for name in columns if name not in known]:
        raise LagerError(
            f"no record has a column {missing[0]!r}: they have {', '.join(known) or 'none'}; where --items is given, "
            "columns come from there"
        )


def _cell(record: Record, column: str) -> str:
    """Return the value of a quota or the text that duplicates are told by, empty where it is missing."""
    return label_text(record.row.get(column), what=f"record {record.record_id!r}: {column}") or ""

"""Groups that a draw has no label of: what learns by group scores their items by the mean of the groups that it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...train.strategies.registry import needs_fitting
from .cells import SweepData, drawn_rows

_LISTED = 3


def unlabelled_groups(data: SweepData, sizes: Iterable[int], *, seeds: int, names: Sequence[str]) -> list[str]:
    """Return a line on groups of the test cache without any training label, and one on draws that lack a group.

    Which strategies learn by group is not asked: with groups as the level those that are fitted do.
    """
    learns = "group-mean" in names or (data.level == "group" and any(map(needs_fitting, names)))
    if data.test.group is None or not learns:
        return []
    tested = set(data.test.group)
    of_train = [None] * len(data.train) if data.train.group is None else data.train.group
    notes, known = [], set(of_train)
    if missing := sorted(map(str, tested - known)):
        n = sum(one not in known for one in data.test.group)
        listed = ", ".join([*missing[:_LISTED], *(["..."] if len(missing) > _LISTED else [])])
        notes.append(
            f"{n} of {len(data.test)} items of the test cache are in groups without a training label ({listed}): "
            "strategies that learn an intercept or mean for each group give them the mean of all"
        )
    lacking = {}
    for size in sorted(size for size in set(sizes) if 1 < size <= len(data.train)):
        drawn = [drawn_rows(data.train, size, draw, seed=data.seed, by=data.draw_by) for draw in range(seeds)]
        lacking[size] = sum(not tested & known <= {of_train[row] for row in rows} for rows in drawn)
    if said := ", ".join(f"{count} of {seeds} of {size} labels" for size, count in lacking.items() if count):
        notes.append(f"draws without a label of some group, which gets the mean of the others: {said}")
    return notes

"""Plans of the next shards, made by a thread while the device reads this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import NamedTuple

from ...data.items.items import Items
from ...data.items.lazy_items import ItemSource
from .plan import Plan
from .planner import Planner

AHEAD = 2

RowsOf = Callable[[int], range]


class PlannedShard(NamedTuple):
    """A shard that is ready to be read.

    Attributes
    ----------
    items : Items
        Its items.
    plan : Plan
        Their prompts.
    """

    items: Items
    plan: Plan


class PlansAhead(AbstractContextManager["PlansAhead"]):
    """Plans shards in a thread of its own, at most `AHEAD` of them before they are asked for.

    Rendering and tokenising take turns with the thread that reads; tokenisers and most of what torch does let others
    run meanwhile. An error in a shard's plan is raised when that shard is asked for.

    Parameters
    ----------
    planner : Planner
        How items are planned.
    items : ItemSource
        All of them.
    rows_of : callable
        Takes a shard's number and returns its rows.
    expected : sequence of int
        The order in which shards will be asked for, most of them.
    batch_tokens : int, optional
        Plan the forward passes that share prefixes too, with batches of so many padded tokens.
    borders : tuple of int
        That these passes keep.
    salt : bytes, optional
        Compute the prompts' hashes too, keyed by this.
    """

    def __init__(
        self, planner: Planner, items: ItemSource, rows_of: RowsOf, expected: Sequence[int], *,
        batch_tokens: int | None = None, borders: tuple[int, ...] = (), salt: bytes | None = None,
    ) -> None:  # fmt: skip
        self.planner, self.items, self.rows_of = planner, items, rows_of
        self.batch_tokens, self.borders, self.salt = batch_tokens, borders, salt
        self._expected = list(expected)
        self._place = {shard: place for place, shard in enumerate(self._expected)}
        self._waiting: dict[int, Future[PlannedShard]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lager-plan")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what nobody will ask for, and wait for the shard that is being planned."""
        self._thread.shutdown(cancel_futures=True)

    def get(self, shard: int) -> PlannedShard:
        """Return a shard's items and plan, and have the next ones planned."""
        own = self._waiting.pop(shard, None) or self._thread.submit(self._plan, shard)
        place = self._place.get(shard)
        if place is not None:
            coming = self._expected[place + 1 : place + 1 + AHEAD]
            for passed in set(self._waiting) - set(coming):
                self._waiting.pop(passed).cancel()
            for number in coming:
                if number not in self._waiting:
                    self._waiting[number] = self._thread.submit(self._plan, number)
        return own.result()

    def _plan(self, shard: int) -> PlannedShard:
        """Plan a shard, with all that can be computed before its turn comes."""
        items, plan = self.planner.plan_rows(self.items, self.rows_of(shard))
        plan = plan if self.salt is None else plan.with_hashes(self.salt)
        return PlannedShard(
            items, plan if self.batch_tokens is None else plan.with_passes(self.batch_tokens, self.borders)
        )


def planned_shards(
    planner: Planner, items: ItemSource, rows_of: RowsOf, shards: Sequence[int], *, salt: bytes | None = None
) -> Iterator[tuple[int, PlannedShard]]:
    """Yield shards with their plans, in order; the next ones are planned meanwhile."""
    with PlansAhead(planner, items, rows_of, shards, salt=salt) as ahead:
        for shard in shards:
            yield shard, ahead.get(shard)

"""Whether a model's keys and values can be forked: tried on two of the run's own prompts, no table of architectures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..readout.batches import side_of
from .forking import forking_problem, longest_two
from .pass_limits import PassLimits
from .plan import Plan

Prompts = Sequence[NDArray[np.int32]]


class Sharing:
    """Whether a run shares prefixes: settled on the first shard whose plan does, on each side of a limit.

    Parameters
    ----------
    limits : PassLimits
        What the passes of the run keep apart, and whether they may share prefixes at all.
    """

    def __init__(self, limits: PassLimits) -> None:
        self.limits = limits
        self._settled: bool | None = None if limits.share_prefixes else False
        self._sides: set[int] = set()

    def __bool__(self) -> bool:
        """Return whether prefixes are shared, as far as that is settled."""
        return bool(self._settled)

    @property
    def possible(self) -> bool:
        """Whether a shard may yet be read with its prefixes shared."""
        return self._settled is not False

    def settle_on(self, plans: Iterable[Plan]) -> Sharing:
        """Try the model on the first of some shards that shares, unless it was tried before."""
        for plan in plans if self._settled is None else ():
            self.shares(plan)
            if self._settled is not None:
                break
        return self

    def shares(self, plan: Plan) -> bool:
        """Return whether a shard is read with its prefixes shared."""
        prompts, label_ids = plan.readable, plan.tokens.label_ids
        if self._settled is False or not prompts:
            return bool(self._settled)
        borders, batch_tokens = self.limits.settle(prompts, label_ids), self.limits.batch_tokens
        if self.limits.alone:
            self._settled = False
            return False
        passes = plan.passes
        if passes is None or passes.borders != borders:
            passes = plan.with_passes(batch_tokens, borders).passes
        for step in passes.steps if passes is not None else ():
            side = side_of(step.segments[0].stop, borders)
            if step.prefix and side not in self._sides:
                self._sides.add(side)
                here = [prompt for prompt in prompts if side_of(len(prompt), borders) == side]
                self._settled = self._try(here, label_ids, borders[side - 1] if side else 0)
                if not self._settled:
                    break
        return bool(self._settled)

    def _try(self, prompts: Prompts, label_ids: Sequence[int], border: int) -> bool:
        """Return whether the model allows sharing, and say why if it does not."""
        limits = self.limits
        two = longest_two(prompts, longer_than=border)
        problem = forking_problem(limits.judge, two, label_ids, borders=limits.borders, plain=limits.readout_of(two))
        if problem:
            limits.say(f"prefixes are not shared: {problem}; every prompt is computed whole")
        return not problem

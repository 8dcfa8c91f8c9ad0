"""Whether a model's keys and values can be forked: tried on two of the run's own prompts, no table of architectures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...data.progress import Say
from ..model.judge import Judge
from ..readout.prefix_tree import TOP, prefix_tree
from ..readout.readout import Readout, read_batch, read_steps
from ..readout.self_check import allowed_difference
from ..readout.steps import plan_steps
from .plan import Plan

Prompts = Sequence[NDArray[np.int32]]


class Sharing:
    """Whether a run shares prefixes: settled on the first shard whose plan does, and told where it does not.

    Parameters
    ----------
    judge : Judge
        The model.
    wanted : bool
        Whether prefixes should be shared at all.
    batch_tokens : int
        Padded tokens of a batch.
    say : callable
        Takes each line that the user should see.
    """

    def __init__(self, judge: Judge, *, wanted: bool, batch_tokens: int, say: Say) -> None:
        self.judge, self.batch_tokens, self.say = judge, batch_tokens, say
        self._settled: bool | None = None if wanted else False

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
        if self._settled is None and plan.readable:
            passes = plan.passes or plan.with_passes(self.batch_tokens).passes
            if passes is not None and passes.share:
                self._settled = self._try(plan.readable, plan.tokens.label_ids)
        return bool(self._settled)

    def _try(self, prompts: Prompts, label_ids: Sequence[int]) -> bool:
        """Return whether the model allows sharing, and say why if it does not."""
        problem = forking_problem(self.judge, longest_pair(prompts), label_ids)
        if problem:
            self.say(f"prefixes are not shared: {problem}; every prompt is computed whole")
        return not problem


def longest_pair(prompts: Prompts) -> Prompts:
    """Return two different prompts that share one of the longest prefixes, so that it passes a window if any does."""
    tree = prefix_tree(prompts)
    continued = {node.parent for node in tree} - {TOP}
    longest = max(continued, key=lambda number: tree[number].stop)
    # A prompt may end with the shared part: then one continuation is all there is.
    rows = [node.row for node in tree if node.parent == longest]
    return [prompts[row] for row in (*rows, *tree[longest].ends)[:2]]


def forking_problem(judge: Judge, pair: Prompts, label_ids: Sequence[int]) -> str:
    """Read two prompts with their prefix shared and without, and return what is wrong; empty where they agree."""
    options = {"pad_id": judge.pad_id}
    plain = read_batch(judge.parts, pair, label_ids, **options)
    steps = plan_steps(pair, batch_tokens=sum(map(len, pair)), always=True)
    try:
        shared = list(read_steps(judge.parts, pair, steps, label_ids, **options))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # what a cache of another kind raises cannot be foreseen
        return f"the model does not take keys and values from outside ({type(error).__name__})"
    worst = 0.0
    for rows, readout in shared:
        worst = max(worst, *(_difference(readout, plain, name, rows) for name in Readout._fields))
    if not worst <= allowed_difference(judge, 1.0):
        return f"with forked keys and values the model gives other read-outs (off by {worst:.2g} of the largest)"
    return ""


def _difference(shared: Readout, plain: Readout, name: str, rows: Sequence[int]) -> float:
    """Return the largest difference as a part of the largest value."""
    own = getattr(plain, name)[rows]
    largest = float(np.abs(own).max())
    return float(np.abs(getattr(shared, name) - own).max()) / max(largest, 1e-6)

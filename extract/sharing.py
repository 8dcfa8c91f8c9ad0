"""Whether a model's keys and values can be forked: tried on two of the run's own prompts, no table of architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .judge import Judge
from .plan import Plan
from .prefix_tree import TOP, prefix_tree
from .readout import Readout, read_batch, read_steps
from .self_check import allowed_difference
from .steps import plan_steps

Prompts = Sequence[NDArray[np.int32]]
Say = Callable[[str], None]


def settle_sharing(judge: Judge, plan: Plan, shards: Iterable[Sequence[int]], *, batch_tokens: int, say: Say) -> bool:
    """Return whether the run shares prefixes, and say so where it does not although it would pay.

    The model is tried on the first shard whose plan shares, done or not: a run that goes on decides as the first did.
    """
    for rows in shards:
        pair = sharing_pair(plan, rows, batch_tokens=batch_tokens)
        if pair is not None:
            return forks(judge, pair, plan.tokens.label_ids, say=say)
    return False


def sharing_pair(plan: Plan, rows: Sequence[int], *, batch_tokens: int) -> Prompts | None:
    """Return two prompts to try the model on, None where nothing is shared among these rows."""
    prompts = [plan.prompts[row] for row in rows if not plan.reasons[row]]
    if prompts and any(step.prefix for step in plan_steps(prompts, batch_tokens=batch_tokens)):
        return longest_pair(prompts)
    return None


def forks(judge: Judge, pair: Prompts, label_ids: Sequence[int], *, say: Say) -> bool:
    """Return whether the model's keys and values can be forked, and say so where they cannot."""
    problem = forking_problem(judge, pair, label_ids)
    if problem:
        say(f"prefixes are not shared: {problem}; every prompt is computed whole")
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

"""Whether two prompts read the same with their shared beginning computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..model.judge import Judge
from ..readout.prefix_tree import TOP, prefix_tree
from ..readout.readout import Readout, read_batch, read_steps
from ..readout.self_check import allowed_difference
from ..readout.steps import plan_steps

Prompts = Sequence[NDArray[np.int32]]


def forking_problem(
    judge: Judge, two: Prompts, label_ids: Sequence[int], *, borders: Sequence[int] = (), plain: Readout | None = None
) -> str:
    """Read two prompts with their prefix shared and without, and return what is wrong; empty where they agree.

    `plain` is what one pass over both read of them, where that is known already.
    """
    options = {"pad_id": judge.pad_id}
    plain = read_batch(judge.parts, two, label_ids, **options) if plain is None else plain
    steps = plan_steps(two, batch_tokens=sum(map(len, two)), always=True, borders=borders)
    try:
        shared = list(read_steps(judge.parts, two, steps, label_ids, **options))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # what a cache of another kind raises cannot be foreseen
        return f"the model does not take keys and values from outside ({type(error).__name__})"
    worst = max((largest_difference(readout, plain, rows) for rows, readout in shared), default=0.0)
    if not worst <= allowed_difference(judge, 1.0):
        return f"with forked keys and values the model gives other read-outs (off by {worst:.2g} of the largest)"
    return ""


def largest_difference(readout: Readout, plain: Readout, rows: Sequence[int]) -> float:
    """Return how far a read-out is from some rows of another, as a part of their largest value.

    What is not finite in the other one (a row that will be invalid, a log-sum-exp that first blocks lack) is left out.
    """
    worst = 0.0
    for values, of in zip(readout, plain, strict=True):
        own = of[rows]
        known = np.isfinite(own)
        if known.any():
            far = np.nan_to_num(np.abs(values - own)[known], nan=np.inf)
            worst = max(worst, float(far.max()) / max(float(np.abs(own[known]).max()), 1e-6))
    return worst


def longest_two(prompts: Prompts, *, longer_than: int = 0) -> Prompts:
    """Return two different prompts that share one of the longest prefixes, so that it passes a window if any does.

    None where no two share enough for a plan to compute it once.
    """
    tree = prefix_tree(prompts, longer_than=longer_than)
    continued = {node.parent for node in tree} - {TOP}
    if not continued:
        return []
    longest = max(continued, key=lambda number: tree[number].stop)
    # A prompt may end with the shared part: then one continuation is all there is.
    rows = [node.row for node in tree if node.parent == longest]
    return [prompts[row] for row in (*rows, *tree[longest].ends)[:2]]

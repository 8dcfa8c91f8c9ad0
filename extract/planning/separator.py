"""The separator between prompt and label: the one with which the score tokens hold more of the probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.manifest import RUN, read_run
from ...data.progress import Say
from ..model.judge import Judge
from ..prompts.score_tokens import ScoreTokens
from ..readout.batches import BatchBudget, is_out_of_memory
from ..readout.likely_tokens import LOW_MASS, low_mass_warning, mean_probabilities

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.judge import Judge

Prompts = Sequence[NDArray[np.int32]]


def choose_separator(
    judge: Judge,
    choices: Mapping[str, ScoreTokens],
    sampled: Mapping[str, Prompts],
    *,
    budget: BatchBudget,
    say: Say,
) -> str:
    """Return the separator with the larger mean score mass on a sample, and say which and by how much.

    Most tokenizers put the separator into the labels' tokens: the prompts are the same then, and are read once.
    """
    read: dict[str, Tensor] = {}
    for sep, tokens in choices.items():
        prompts = sampled[sep]
        same = next((other for other in read if _equal(sampled[other], prompts)), None)
        if same is None:
            share = _can_share(judge, prompts, tokens.label_ids, budget=budget)
            read[sep] = mean_probabilities(judge, prompts, budget=budget, share_prefixes=share)
        else:
            read[sep] = read[same]
    mass = {sep: float(read[sep][list(tokens.label_ids)].sum()) for sep, tokens in choices.items()}
    best = max(mass, key=lambda sep: mass[sep])
    tokens = choices[best]
    names: Any = judge.tokenizer.convert_ids_to_tokens
    others = "".join(f", against {mass[sep]:.3f} with {sep!r}" for sep in mass if sep != best)
    after = f", after {names(list(tokens.prefix_ids))}" if tokens.prefix_ids else ""
    say(f"score tokens {names(list(tokens.label_ids))}{after}: separator {best!r}, score mass {mass[best]:.3f}{others}")
    if mass[best] < LOW_MASS:
        say(low_mass_warning(judge, read[best], tokens.label_ids, mass=mass[best]))
    return best


def _can_share(judge: Judge, prompts: Prompts, label_ids: Sequence[int], *, budget: BatchBudget) -> bool:
    """Return whether sharing prefixes saves work on these prompts, and the model allows it."""
    from ..readout.steps import plan_steps
    from .forking import forking_problem
    from .prefix_sharing import longest_two

    if not any(step.prefix for step in plan_steps(prompts, batch_tokens=budget.tokens)):
        return False
    try:
        return not forking_problem(judge, longest_two(prompts), label_ids)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return False


def _equal(one: Prompts, other: Prompts) -> bool:
    """Return whether two lists of prompts are the same."""
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def stored_separator(folder: Path) -> str | None:
    """Return the separator of the run that is continued: low bits must not decide a near tie anew."""
    if not (folder / RUN).exists():
        return None
    inputs = read_run(folder).get("fingerprint_inputs", {})
    sep = inputs.get("scale", {}).get("separator")
    return sep if isinstance(sep, str) else None

"""The separator between prompt and label: the one with which the score tokens hold more of the probability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.manifest import RUN, read_run
from ...data.progress import Say
from ..model.judge import Judge
from ..prompts.score_tokens import ScoreTokens
from ..readout.batches import BatchBudget, is_out_of_memory
from ..readout.likely_tokens import LOW_MASS, SAMPLE, ends_probabilities, low_mass_warning, mean_probabilities

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.judge import Judge

Prompts = Sequence[NDArray[np.int32]]


# How many prompts of the sample are looked at before it is asked whether the separators are told apart.
_PARTS = (2, 8, SAMPLE)
# Told apart: one holds so many times the other's probability, and more in everything that was read.
_TIMES = 2.0


def choose_separator(
    judge: Judge,
    choices: Mapping[str, ScoreTokens],
    sampled: Mapping[str, Prompts],
    *,
    budget: BatchBudget,
    say: Say,
) -> str:
    """Return the separator with the larger mean score mass on a sample, and say which and by how much.

    The sample is read in its order: two prompts first, and more while the separators are not told apart, `SAMPLE` at
    most. Where the labels hold little of the probability, eight are read before that is said.
    """
    prompts = {sep: [prompt for prompt in sampled[sep][:SAMPLE] if len(prompt)] for sep in choices}
    total: dict[str, Tensor] = {}
    seen: list[dict[str, float]] = []
    done = 0
    for upto in _PARTS:
        part = {sep: some[done:upto] for sep, some in prompts.items()}
        n = max(map(len, part.values()))
        if not n and seen:
            break
        one_by_one = bool(n) and not done
        found = _singly(judge, part, budget) if one_by_one else _together(judge, choices, part, budget=budget)
        for one in found:
            total = {sep: total[sep] + one[sep] if sep in total else one[sep] for sep in choices}
            seen.append({sep: float(one[sep][list(tokens.label_ids)].sum()) for sep, tokens in choices.items()})
        done += n
        mass = {sep: sum(one[sep] for one in seen) / max(done, 1) for sep in choices}
        best = max(mass, key=lambda sep: mass[sep])
        if _told_apart(best, seen) and (mass[best] >= LOW_MASS or upto > _PARTS[0]):
            break
    tokens = choices[best]
    names: Any = judge.tokenizer.convert_ids_to_tokens
    others = "".join(f", against {mass[sep]:.3f} with {sep!r}" for sep in mass if sep != best)
    after = f", after {names(list(tokens.prefix_ids))}" if tokens.prefix_ids else ""
    say(f"score tokens {names(list(tokens.label_ids))}{after}: separator {best!r}, score mass {mass[best]:.3f}{others}")
    if mass[best] < LOW_MASS:
        say(low_mass_warning(judge, total[best] / max(done, 1), tokens.label_ids, mass=mass[best]))
    return best


def _told_apart(best: str, seen: Sequence[Mapping[str, float]]) -> bool:
    """Return whether a separator holds more in all that was read, and altogether several times the others' mass."""
    others = [sep for sep in seen[0] if sep != best]
    sums = {sep: sum(one[sep] for one in seen) for sep in seen[0]}
    return all(sums[best] >= _TIMES * sums[sep] and all(one[best] > one[sep] for one in seen) for sep in others)


def _singly(judge: Judge, part: Mapping[str, Prompts], budget: BatchBudget) -> list[dict[str, Tensor]]:
    """Return for each prompt the probabilities of the next token under every separator, in a pass for each prompt.

    Where one separator's prompt goes on with the tokens of another's, one pass has both.
    """
    found = []
    for variants in zip(*part.values(), strict=True):
        longest = max(variants, key=len)
        ends = [len(one) if np.array_equal(longest[: len(one)], one) else None for one in variants]
        whole = _at_ends(judge, longest, [end for end in ends if end is not None], budget)
        rows = iter(whole)
        found.append({
            sep: next(rows) if end is not None else _at_ends(judge, one, [len(one)], budget)[0]
            for sep, one, end in zip(part, variants, ends, strict=True)
        })  # fmt: skip
    return found


def _at_ends(judge: Judge, prompt: NDArray[np.int32], ends: Sequence[int], budget: BatchBudget) -> Tensor:
    """Return `ends_probabilities`; a prompt that does not fit into memory is told as anywhere."""

    def read(rows: list[int], batch_tokens: int) -> Iterator[tuple[list[int], Tensor]]:
        yield rows, ends_probabilities(judge, prompt, ends)

    ((_, found),) = budget.read([len(prompt)], read)
    return found


def _together(
    judge: Judge, choices: Mapping[str, ScoreTokens], part: Mapping[str, Prompts], *, budget: BatchBudget
) -> list[dict[str, Tensor]]:
    """Return the summed probabilities of the next token of some prompts; equal prompts are read once."""
    read: dict[str, Tensor] = {}
    for sep, tokens in choices.items():
        same = next((other for other in read if _equal(part[other], part[sep])), None)
        if same is None:
            share = _can_share(judge, part[sep], tokens.label_ids, budget=budget)
            mean = mean_probabilities(judge, part[sep], budget=budget, share_prefixes=share)
            read[sep] = mean * len(part[sep])
        else:
            read[sep] = read[same]
    return [read]


def _can_share(judge: Judge, prompts: Prompts, label_ids: Sequence[int], *, budget: BatchBudget) -> bool:
    """Return whether sharing prefixes saves work on these prompts, and the model allows it."""
    from ..readout.steps import plan_steps
    from .forking import forking_problem, longest_two

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

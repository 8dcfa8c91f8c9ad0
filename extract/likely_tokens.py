"""What the judge would rather say than a score: tells a wrong template, a thinking block or a channel token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .judge import Judge
    from .out_of_memory import BatchBudget

LOW_MASS = 0.5
SAMPLE = 32
_SHOWN = 5


def low_mass_warning(
    judge: Judge,
    prompts: Sequence[NDArray[np.int32]],
    label_ids: Sequence[int],
    *,
    mass: float,
    budget: BatchBudget,
) -> str:
    """Return a line that names what the judge expects at the read-out in the place of a label.

    Parameters
    ----------
    judge : Judge
        The model.
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids up to the read-out; the first `SAMPLE` of them are looked at.
    label_ids : sequence of int
        The score tokens.
    mass : float
        The probability they have together, as the line tells it.
    budget : BatchBudget
        Padded tokens of a batch.
    """
    others = likely_tokens(judge, prompts[:SAMPLE], label_ids, budget=budget)
    listed = ", ".join(f"{text!r} {probability:.3f}" for text, probability in others)
    return (
        f"warning: the model gives the score labels a probability of {mass:.3f} together, expected {LOW_MASS:g} or "
        f"more; it would rather say {listed}: look at the prompt's end, --chat-args, --answer-prefix and --scale"
    )


def likely_tokens(
    judge: Judge, prompts: Sequence[NDArray[np.int32]], label_ids: Sequence[int], *, budget: BatchBudget
) -> list[tuple[str, float]]:
    """Return the most likely next tokens that are no labels, with their mean probability over `prompts`."""
    import torch

    from .batches import plan_batches
    from .readout import read_states

    head = judge.parts.head
    prompts = [prompt for prompt in prompts if len(prompt)]
    total = torch.zeros(head.weight.shape[0], device=head.weight.device)
    lengths = [len(prompt) for prompt in prompts]

    @torch.inference_mode()
    def read(rows: list[int], batch_tokens: int) -> Iterator[tuple[list[int], torch.Tensor]]:
        for members in plan_batches([lengths[row] for row in rows], batch_tokens=batch_tokens):
            batch = [rows[i] for i in members]
            states = read_states(judge.parts, [prompts[row] for row in batch], pad_id=judge.pad_id).final
            yield batch, torch.nan_to_num(head.probabilities(states)).sum(dim=0)

    for _, probabilities in budget.read(lengths, read):
        total += probabilities
    total[torch.tensor(label_ids, device=total.device)] = -1.0
    best = total.topk(min(_SHOWN, len(total)))
    return [
        (judge.tokenizer.decode([int(token)]), float(value) / max(len(prompts), 1))
        for value, token in zip(best.values.cpu(), best.indices.cpu(), strict=True)
    ]

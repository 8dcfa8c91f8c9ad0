"""What the judge would rather say than a score: tells a wrong template, a thinking block or a channel token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.judge import Judge
    from .batches import BatchBudget

LOW_MASS = 0.5
SAMPLE = 32
_SHOWN = 5


def low_mass_warning(judge: Judge, probabilities: Tensor, label_ids: Sequence[int], *, mass: float) -> str:
    """Return a line that names what the judge expects at the read-out in the place of a label.

    Parameters
    ----------
    judge : Judge
        The model.
    probabilities : Tensor of shape (vocabulary,)
        Of the next token, see `mean_probabilities`.
    label_ids : sequence of int
        The score tokens.
    mass : float
        The probability they have together, as the line tells it.
    """
    others = likely_tokens(judge, probabilities, label_ids)
    listed = ", ".join(f"{text!r} {probability:.3f}" for text, probability in others)
    return (
        f"warning: the model gives the score labels a probability of {mass:.3f} together, expected {LOW_MASS:g} or "
        f"more; it would rather say {listed}: look at the prompt's end, --chat-args, --answer-prefix and --scale"
    )


def likely_tokens(judge: Judge, probabilities: Tensor, label_ids: Sequence[int]) -> list[tuple[str, float]]:
    """Return the most likely next tokens that are no labels, with their probability."""
    others = probabilities.clone()
    others[list(label_ids)] = -1.0
    best = others.topk(min(_SHOWN, len(others)))
    return [
        (judge.tokenizer.decode([int(token)]), float(value))
        for value, token in zip(best.values.cpu(), best.indices.cpu(), strict=True)
    ]


def ends_probabilities(judge: Judge, prompt: NDArray[np.int32], ends: Sequence[int]) -> Tensor:
    """Return the probability of every token to come after the first so many tokens of a prompt, from one pass.

    Parameters
    ----------
    judge : Judge
        The model.
    prompt : ndarray of shape (n_tokens,)
        Token ids.
    ends : sequence of int
        After how many of them.

    Returns
    -------
    Tensor of shape (n_ends, vocabulary)
        Not finite values are 0.
    """
    import torch

    from ..model.head import last_states

    parts = judge.parts
    device = next(parts.decoder.parameters()).device
    with torch.inference_mode():
        ids = torch.from_numpy(prompt.astype(np.int64))[None].to(device)
        states = last_states(parts.decoder(input_ids=ids, use_cache=False))[0]
        return torch.nan_to_num(parts.head.probabilities(states[[end - 1 for end in ends]]))


def mean_probabilities(
    judge: Judge, prompts: Sequence[NDArray[np.int32]], *, budget: BatchBudget, share_prefixes: bool = False
) -> Tensor:
    """Return the mean probability of every token to come next, shape (vocabulary,); a prompt without any counts as 0.

    Parameters
    ----------
    judge : Judge
        The model.
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids up to the read-out; the first `SAMPLE` of them are read.
    budget : BatchBudget
        Padded tokens of a batch.
    share_prefixes : bool
        Compute what prompts share once, where that saves work; the model must allow it.
    """
    import torch

    from .readout import step_states
    from .steps import plan_steps

    head = judge.parts.head
    prompts = [prompt for prompt in prompts[:SAMPLE] if len(prompt)]
    total = torch.zeros(head.weight.shape[0], device=head.weight.device)

    @torch.inference_mode()
    def read(rows: list[int], batch_tokens: int) -> Iterator[tuple[list[int], Tensor]]:
        texts = [prompts[row] for row in rows]
        steps = plan_steps(texts, batch_tokens=batch_tokens, share_prefixes=share_prefixes)
        for ended, of, states in step_states(judge.parts, texts, steps, pad_id=judge.pad_id):
            yield [rows[i] for i in ended], torch.nan_to_num(head.probabilities(states.final))[of].sum(dim=0)

    for _, probabilities in budget.read([len(prompt) for prompt in prompts], read):
        total += probabilities
    return total / max(len(prompts), 1)

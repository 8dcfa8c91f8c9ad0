"""Pooled hidden states of every layer, reduced inside the forward pass (INSPECTOR, arXiv 2601.22588)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.errors import LagerError
from ..model.head import last_states
from ..model.judge import Judge
from ..model.parts import Parts
from .readout import Readout, States, each_entry, project


class HiddenStates(NamedTuple):
    """Pooled states as they are stored.

    Attributes
    ----------
    states : ndarray of shape (n, n_layers + 1, d), float16
        Divided by `scale`, so within -1 and 1.
    scale : ndarray of shape (n, n_layers + 1), float32
        The largest absolute value of each row and entry, 1 where all are 0.
    """

    states: NDArray[np.float16]
    scale: NDArray[np.float32]


def hidden_bytes(judge: Judge, n_items: int, poolings: Sequence[str]) -> int:
    """Return the size of the stored states; they hardly compress."""
    if poolings and judge.parts.projection is not None:
        raise LagerError(
            f"--features hidden: {judge.parts.paths['projection']} maps the states to another width, so the entries of "
            "the layer axis have no common shape; leave it out for this model"
        )
    entries = judge.n_layers + 1
    return n_items * len(poolings) * entries * (judge.parts.head.weight.shape[1] * 2 + 4)


@torch.inference_mode()
def read_hidden_batch(
    parts: Parts,
    prompts: Sequence[NDArray[np.int32]],
    label_ids: Sequence[int],
    *,
    n_prompt: Sequence[int],
    poolings: Sequence[str],
    pad_id: int = 0,
) -> tuple[Readout, dict[str, HiddenStates]]:
    """Read one batch as `lager.extract.readout.readout.read_batch` does, and pool its hidden states."""
    padded = np.full((len(prompts), max(map(len, prompts))), pad_id, dtype=np.int64)
    for row, prompt in zip(padded, prompts, strict=True):
        row[: len(prompt)] = prompt
    positions = torch.tensor([len(prompt) - 1 for prompt in prompts])
    lengths = torch.tensor(list(n_prompt))
    device = next(parts.decoder.parameters()).device

    def reduce(hidden: Tensor) -> Tensor:
        at = positions.to(hidden.device)
        last = hidden[torch.arange(len(hidden), device=hidden.device), at].float()
        pooled = [last if name == "last" else pool(hidden, lengths.to(hidden.device), name) for name in poolings]
        return torch.stack([last, *pooled], dim=1)

    kept: list[Tensor] = []
    with each_entry(parts.blocks, lambda hidden: kept.append(reduce(hidden))):
        output = parts.decoder(input_ids=torch.from_numpy(padded).to(device), use_cache=False)
        states = last_states(output)
        final = reduce(states)
        dtype = states.dtype
    layers = torch.stack([state.to(final.device) for state in kept], dim=2)
    # The states at the read-out position went through float32 unchanged, so this is what `read_batch` projects; in one
    # piece, because another layout in memory changes the low bits of a product.
    read_out = States(layers[:, 0].to(dtype).contiguous(), final[:, 0].to(dtype).contiguous())
    readout = project(parts, read_out, label_ids)
    everything = torch.cat([layers, final[:, :, None]], dim=2)
    return readout, {name: _scaled(everything[:, 1 + n]) for n, name in enumerate(poolings)}


def pool(hidden: Tensor, lengths: Tensor, name: str) -> Tensor:
    """Return the mean, smallest or largest of each row's first tokens, float32, shape (n, d).

    Parameters
    ----------
    hidden : Tensor of shape (n, n_tokens, d)
        States, padded on the right.
    lengths : Tensor of shape (n,)
        The tokens of each row that count.
    name : {"mean", "min", "max"}
        What to take.
    """
    outside = (torch.arange(hidden.shape[1], device=hidden.device) >= lengths[:, None])[:, :, None]
    if name == "mean":
        return hidden.masked_fill(outside, 0.0).sum(dim=1, dtype=torch.float32) / lengths[:, None]
    if name == "min":
        return hidden.masked_fill(outside, torch.inf).amin(dim=1).float()
    return hidden.masked_fill(outside, -torch.inf).amax(dim=1).float()


def _scaled(states: Tensor) -> HiddenStates:
    """Return states as they are stored."""
    scale = states.abs().amax(dim=-1)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    divided = (states / scale[..., None]).half()
    return HiddenStates(divided.cpu().numpy(), scale.cpu().numpy())

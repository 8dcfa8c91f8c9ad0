"""The self-check: what would be cached is compared with the model's own output, before anything is written."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.errors import LagerError
from ..model.head import state_of
from ..model.judge import Judge
from .readout import Readout, States, apply_norm, read_states

# Largest difference allowed, as a part of the largest value compared with. A wrong norm, scale or position is off by
# the size of the values themselves; batches of another shape change low bits only.
_ROUNDING = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 5e-2}
_QUANTIZED = 1e-1  # 8-bit products round by what else is in the batch


def check_readout(
    judge: Judge, prompts: Sequence[NDArray[np.int32]], readout: Readout, label_ids: Sequence[int]
) -> None:
    """Compare the read-out of a batch with the model itself on single prompts.

    The last entry of `logits_normed` is compared with ``model(...).logits`` for the shortest prompt of the batch, which
    has the most padding, and the longest. For the shortest, every other entry's state is compared with the model's own
    hidden states, and the final norm of the last block's output with the state behind the logits.

    Parameters
    ----------
    judge : Judge
        The model.
    prompts : sequence of ndarray of shape (n_tokens,)
        The batch.
    readout : Readout
        What was read from it.
    label_ids : sequence of int
        The score tokens.

    Raises
    ------
    LagerError
        When something is off by more than the dtype explains; it says what, and how far.
    """
    lengths = [len(prompt) for prompt in prompts]
    shortest, longest = int(np.argmin(lengths)), int(np.argmax(lengths))
    for row in dict.fromkeys((shortest, longest)):
        output = _whole_model(judge, prompts[row], hidden=row == shortest)
        own = output.logits[0, -1].float().cpu().numpy()
        if np.isfinite(own).all():  # otherwise the row is invalid and counted as such
            _compare(
                readout.logits_normed[row, -1],
                own[list(label_ids)],
                size=float(np.abs(own).max()),
                what="the last layer's score logits differ from the model's own logits",
                judge=judge,
            )
        if row == shortest:
            states, last = _states_and_last_block(judge, prompts[row])
            _check_states(judge, states, output.hidden_states)
            _check_norm(judge, states, last)


@torch.inference_mode()
def _whole_model(judge: Judge, prompt: NDArray[np.int32], *, hidden: bool) -> Any:
    """Return the model's own output for one prompt without padding."""
    ids = torch.from_numpy(prompt.astype(np.int64))[None].to(next(judge.parts.decoder.parameters()).device)
    options: dict[str, Any] = {"use_cache": False, "output_hidden_states": hidden}
    if "logits_to_keep" in inspect.signature(judge.model.forward).parameters:
        options["logits_to_keep"] = 1
    return judge.model(input_ids=ids, **options)


def _states_and_last_block(judge: Judge, prompt: NDArray[np.int32]) -> tuple[States, Tensor]:
    """Return what is read of a prompt, and the last block's output at its end, shape (1, d)."""
    kept: list[Tensor] = []
    handle = judge.parts.blocks[-1].register_forward_hook(lambda module, args, output: kept.append(state_of(output)))
    try:
        states = read_states(judge.parts, [prompt])
    finally:
        handle.remove()
    return states, kept[0][:, -1]


def _check_states(judge: Judge, read: States, hidden: Sequence[Tensor] | None) -> None:
    """Compare the states of all entries but the last with the model's own."""
    states = read.layers[0].float().cpu().numpy()
    own = [] if hidden is None else [h[0, -1].float().cpu().numpy() for h in hidden]
    # The last entry of the tuple is the state behind the logits, which were compared. Some architectures (mamba) leave
    # out the embedding output and keep the last block's: there the entries are one further on.
    n_layers = judge.n_layers
    if len(own) != n_layers + 1:
        raise LagerError(
            f"self-check: {n_layers} blocks were found, but the model returns {len(own)} hidden states, expected "
            f"{n_layers + 1}: name the right blocks with --layers-path"
        )
    shift = int(n_layers > 1 and not _close(states[0], own[0], judge) and _close(states[1], own[0], judge))
    for entry in range(shift, n_layers):
        reference = own[entry - shift]
        if np.isfinite(reference).all():
            _compare(
                states[entry],
                reference,
                size=float(np.abs(reference).max()),
                what=f"the state of layer entry {entry} differs from the model's own hidden states",
                judge=judge,
            )


@torch.inference_mode()
def _check_norm(judge: Judge, read: States, last: Tensor) -> None:
    """Compare the final norm of the last block's output with the state behind the logits."""
    parts = judge.parts
    state = apply_norm(parts, last)
    state = state if parts.projection is None else parts.projection(state)
    own = read.final.float().cpu().numpy()
    if np.isfinite(own).all():
        _compare(
            state.float().cpu().numpy(),
            own,
            size=float(np.abs(own).max()),
            what="the final norm of the last block's output differs from the decoder's own last state",
            judge=judge,
        )


def _close(ours: NDArray[np.float32], own: NDArray[np.float32], judge: Judge) -> bool:
    """Return whether states differ in low bits only."""
    return ours.shape == own.shape and bool(
        np.abs(ours - own).max() <= allowed_difference(judge, float(np.abs(own).max()))
    )


def allowed_difference(judge: Judge, size: float) -> float:
    """Return how far values of this size may be apart for low bits alone."""
    rounding = _ROUNDING.get(judge.dtype, 5e-2)
    return max(rounding, _QUANTIZED if judge.quantization else 0.0) * size + 1e-6


def _compare(ours: NDArray[np.float32], own: NDArray[np.float32], *, size: float, what: str, judge: Judge) -> None:
    """Raise `LagerError` when values differ by more than the dtype explains."""
    if ours.shape != own.shape:
        raise LagerError(f"self-check: {what} in shape, {ours.shape} and {own.shape}: name the blocks by --layers-path")
    difference, allowed = float(np.abs(ours - own).max()), allowed_difference(judge, size)
    if not difference <= allowed:
        raise LagerError(
            f"self-check: {what} by {difference:.3g}, at most {allowed:.3g} was expected for {judge.dtype}; nothing "
            "was written: the model has parts that were not found (try --norm-path and --layers-path, or --attn eager)"
        )

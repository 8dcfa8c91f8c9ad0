"""What follows the last attention, at the read-out position only.

Past the last block's attention each position goes its own way, and only one of a prompt is read. Which modules that
holds for is found by running them, not known by architecture: children of the last block that ran after everything
that mixes positions, and the final norm. Their input is cut to one position and their output spread over all again
(a view), so the code around them sees the shapes it expects; the other positions then hold numbers nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .head import TOLERANCE, last_states
from .on_device import on_device


def find_tail(
    decoder: nn.Module, last_block: nn.Module, norm: Sequence[nn.Module], ids: Tensor
) -> tuple[nn.Module, ...]:
    """Return the modules that can be run at the read-out position only; none where that changes its state.

    Parameters
    ----------
    decoder, last_block, norm
        See `lager.extract.parts.Parts`.
    ids : Tensor of shape (1, n_tokens)
        A short text.
    """
    calls: list[tuple[nn.Module, tuple[Any, ...], dict[str, Any], Any]] = []

    def watch(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        calls.append((module, args, kwargs, output))

    children = [*last_block.children(), *norm]
    handles = [child.register_forward_hook(watch, with_kwargs=True) for child in children]
    try:
        with torch.inference_mode():
            states = last_states(decoder(input_ids=ids, use_cache=False))
    finally:
        for handle in handles:
            handle.remove()
    tail: list[nn.Module] = []
    for module, args, kwargs, output in reversed(calls):
        once = sum(other is module for other, *_ in calls) == 1
        if not (once and len(args) == 1 and not kwargs and _by_position(module, args[0], output)):
            break
        tail.append(module)
    return tuple(reversed(tail)) if tail and _agrees(decoder, tail, ids, states) else ()


@contextmanager
def only_at(tail: Sequence[nn.Module], positions: Tensor) -> Iterator[None]:
    """Run the modules of `tail` at one position of each row, a tensor of shape (n,), while the context lasts."""
    places = on_device(torch.arange(len(positions)), positions)
    handles = [handle for module in tail for handle in _hooks(module, places)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks(module: nn.Module, places: Callable[[torch.device], tuple[Tensor, ...]]) -> list[Any]:
    spread: list[int] = []

    def cut(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        states = args[0]
        spread[:] = [states.shape[1]]
        return (states[places(states.device)][:, None],)

    def widen(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return output.expand(-1, spread[0], -1)

    return [module.register_forward_pre_hook(cut), module.register_forward_hook(widen)]


def _by_position(module: nn.Module, states: Any, output: Any) -> bool:
    """Return whether a module takes each position by itself."""
    if not (isinstance(states, Tensor) and isinstance(output, Tensor)):
        return False
    if states.ndim != 3 or output.ndim != 3 or output.shape[1] != states.shape[1]:
        return False
    with torch.inference_mode():
        alone = module(states[:, -1:])
    return isinstance(alone, Tensor) and alone.shape[1] == 1 and _close(alone, output[:, -1:])


def _agrees(decoder: nn.Module, tail: Sequence[nn.Module], ids: Tensor, states: Tensor) -> bool:
    try:
        with torch.inference_mode():
            for position in range(ids.shape[1]):
                with only_at(tail, torch.tensor([position])):
                    cut = last_states(decoder(input_ids=ids, use_cache=False))
                if not _close(cut[:, position], states[:, position]):
                    return False
    except RuntimeError:  # code around that writes in place, or needs another memory layout
        return False
    return True


def _close(one: Tensor, other: Tensor) -> bool:
    # At low precision another shape of a product changes low bits; a wrong position changes all of them.
    allowed = TOLERANCE.get(other.dtype, 5e-2) * float(other.abs().max())
    return bool((one - other).abs().max() <= allowed)

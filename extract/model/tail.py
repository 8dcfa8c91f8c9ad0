"""What follows the last attention, at the read-out position only.

Past the keys and values of the last block each position goes its own way, and only one of a prompt is read. The last
block is run at that position alone where it can be (see `lager.extract.model.last_block`); elsewhere the children of
the last block that ran after everything that mixes positions are. The final norm follows. Which modules that holds for
is found by running them, not known by architecture. Their input is cut to one position and their output spread over all
again (a view), so the code around them sees the shapes it expects; the other positions then hold numbers nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .head import last_states
from .last_block import LastBlock, block_at, close, find_last_block
from .on_device import on_device


class Tail(NamedTuple):
    """What is run at the read-out position only.

    Attributes
    ----------
    modules : tuple of Module
        They take each position by itself; in the order they run.
    block : LastBlock or None
        The last block, none of whose children is in `modules` then.
    """

    modules: tuple[nn.Module, ...]
    block: LastBlock | None


NO_TAIL = Tail((), None)


def find_tail(decoder: nn.Module, last_block: nn.Module, norm: Sequence[nn.Module], ids: Tensor) -> Tail:
    """Return what can be run at the read-out position only; nothing where that changes its state.

    Parameters
    ----------
    decoder, last_block, norm
        See `lager.extract.model.parts.Parts`.
    ids : Tensor of shape (1, n_tokens)
        A short text.
    """
    block = find_last_block(decoder, last_block, ids)
    try:
        for tail in (
            *([] if block is None else [Tail(_tail_of(decoder, norm, ids), block)]),
            Tail(_tail_of(decoder, [*last_block.children(), *norm], ids), None),
        ):
            if _agrees(decoder, tail, ids):
                return tail
    except torch.OutOfMemoryError:
        raise
    except Exception:  # what a module of another kind raises for one position cannot be foreseen
        return NO_TAIL
    return NO_TAIL


def _tail_of(decoder: nn.Module, children: Sequence[nn.Module], ids: Tensor) -> tuple[nn.Module, ...]:
    """Return the last of these modules, as far as they take each position by itself."""
    calls: list[tuple[nn.Module, tuple[Any, ...], dict[str, Any], Any]] = []

    def watch(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        calls.append((module, args, kwargs, output))

    handles = [child.register_forward_hook(watch, with_kwargs=True) for child in children]
    try:
        with torch.inference_mode():
            decoder(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    tail: list[nn.Module] = []
    for module, args, kwargs, output in reversed(calls):
        once = sum(other is module for other, *_ in calls) == 1
        if not (once and len(args) == 1 and not kwargs and _by_position(module, args[0], output)):
            break
        tail.append(module)
    return tuple(reversed(tail))


@contextmanager
def only_at(tail: Tail, positions: Tensor) -> Iterator[None]:
    """Run `tail` at one position of each row, a CPU tensor of shape (n,), while the context lasts."""
    places = on_device(torch.arange(len(positions)), positions)
    handles = [handle for module in tail.modules for handle in _hooks(module, places)]
    try:
        with nullcontext() if tail.block is None else block_at(tail.block, positions):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks(module: nn.Module, places: Callable[[torch.device], tuple[Tensor, ...]]) -> list[Any]:
    """Make a module compute one position of each row; its output looks as long as before."""
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
    return isinstance(alone, Tensor) and alone.shape[1] == 1 and close(alone, output[:, -1:])


def _agrees(decoder: nn.Module, tail: Tail, ids: Tensor) -> bool:
    """Return whether the decoder gives the same states when its tail computes one position only."""
    try:
        with torch.inference_mode():
            states = last_states(decoder(input_ids=ids, use_cache=False))
            for position in range(ids.shape[1]):
                with only_at(tail, torch.tensor([position])):
                    cut = last_states(decoder(input_ids=ids, use_cache=False))
                if not close(cut[:, position], states[:, position]):
                    return False
    except RuntimeError:  # code around that writes in place, or needs another memory layout
        return False
    return True

"""The last block at the read-out position only: its keys and values are needed everywhere, its queries at one position.

The block is called twice. The first call gets all positions and is cut off as soon as the block hands its keys and
values to the cache; linear maps that only queries pass through give zeros then, and compute nothing. The second call
gets the state of the read-out position, with its row of the mask and its position's embedding, and a cache that
returns the keys and values of the first. Which argument is the cache, which the mask, and which maps belong to the
queries is found by running the block on a short text; that the state stays the same is shown on that text too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .head import TOLERANCE, state_of
from .on_device import on_device

Forward = Callable[..., Any]


class LastBlock(NamedTuple):
    """A block that can be run at one position.

    Attributes
    ----------
    block : Module
    states, cache, mask : str
        The parameters of its `forward` that take the states, the keys and values, and the attention mask.
    queries : tuple of Module
        Linear maps in it that keys and values do not depend on.
    """

    block: nn.Module
    states: str
    cache: str
    mask: str
    queries: tuple[nn.Module, ...]


def find_last_block(decoder: nn.Module, block: nn.Module, ids: Tensor) -> LastBlock | None:
    """Return how the last block is run at one position; None where that is not possible or changes its output.

    Parameters
    ----------
    decoder, block : Module
        The model's decoder and its last block.
    ids : Tensor of shape (1, n_tokens)
        A short text.
    """
    ids = torch.cat([ids, ids.flip(1)])
    try:
        with torch.inference_mode():
            last, calls = _watch(decoder, block, ids)
            last = last._replace(queries=_queries(last, calls[0]))
            agrees = all(_agrees(last, call, ids.shape[1]) for call in calls)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # what a block of another kind raises cannot be foreseen
        return None
    return last if agrees else None


@contextmanager
def block_at(last: LastBlock, positions: Tensor) -> Iterator[None]:
    """Run the block at one position of each row, a CPU tensor of shape (n,), while the context lasts.

    Its output is spread over all positions again (a view), so the code around it sees the shape it expects.
    """
    forward = last.block.forward
    names = list(inspect.signature(forward).parameters)
    calls = _TwoCalls(last, forward, positions)

    def run(*args: Any, **kwargs: Any) -> Any:
        return calls.run({**dict(zip(names, args, strict=False)), **kwargs})

    with ExitStack() as stack:
        for module in last.queries:
            stack.enter_context(_replaced(module, _zeros_of(module, lambda: calls.first)))
        stack.enter_context(_replaced(last.block, run))
        yield


class _KeysAreThere(Exception):  # noqa: N818 - it is no error
    """Ends the first call."""


class _KeysAndValues:
    """Stands for the cache: keeps what the first call hands over, and gives it to the second."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.kept: tuple[Tensor, Tensor] | None = None

    def update(self, keys: Tensor, values: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.kept is None:
            self.kept = (keys, values) if self.cache is None else self.cache.update(keys, values, *args, **kwargs)
            raise _KeysAreThere
        return self.kept


class _TwoCalls:
    """The block's forward at one position of each row.

    Attributes
    ----------
    first : bool
        Whether the first call is on, in which queries are not needed.
    """

    def __init__(self, last: LastBlock, forward: Forward, positions: Tensor) -> None:
        self.last, self.forward, self.positions = last, forward, positions
        self.places = on_device(torch.arange(len(positions)), positions)
        self.first = False

    def run(self, arguments: dict[str, Any]) -> Any:
        last, hidden = self.last, arguments[self.last.states]
        n_tokens = hidden.shape[1]
        cache = _KeysAndValues(arguments.get(last.cache))
        self.first = True
        try:
            keys, _ = _first_call(self.forward, {**arguments, last.cache: cache}, cache)
        finally:
            self.first = False
        rows, at = self.places(hidden.device)
        alone = {name: _at(value, n_tokens, rows, at) for name, value in arguments.items()} | {last.cache: cache}
        if arguments.get(last.mask) is None and bool((self.positions < n_tokens - 1).any()):
            # The attention would take a single query for the last token, and let it see what follows.
            seen = keys.shape[-2] - n_tokens + at[:, None]
            alone[last.mask] = (torch.arange(keys.shape[-2], device=hidden.device) <= seen)[:, None, None]
        output = self.forward(**alone)
        if isinstance(output, tuple):
            return (output[0].expand(-1, n_tokens, -1), *output[1:])
        return output.expand(-1, n_tokens, -1)


def _first_call(forward: Forward, arguments: dict[str, Any], cache: _KeysAndValues) -> tuple[Tensor, Tensor]:
    """Return a block's keys and values, and stop it there."""
    with suppress(_KeysAreThere):
        forward(**arguments)
    if cache.kept is None:
        raise RuntimeError("the last block handed no keys and values over")
    return cache.kept


def _at(value: Any, n_tokens: int, rows: Tensor, at: Tensor) -> Any:
    """Return an argument at one position of each row: a mask (n, heads, tokens, keys) or anything (n, tokens, ...)."""
    if isinstance(value, tuple | list):
        return type(value)(_at(one, n_tokens, rows, at) for one in value)
    if not isinstance(value, Tensor):
        return value
    axis = 2 if value.ndim == 4 else 1
    if value.ndim < 2 or value.shape[axis] != n_tokens or value.shape[0] not in (1, len(rows)):
        raise RuntimeError(f"an argument of shape {tuple(value.shape)} has no known place for the {n_tokens} tokens")
    row, place = rows.to(value.device), at.to(value.device)
    row = row if len(value) == len(rows) else torch.zeros_like(row)
    return value[row, :, place][:, :, None] if axis == 2 else value[row, place][:, None]


def _watch(decoder: nn.Module, block: nn.Module, ids: Tensor) -> tuple[LastBlock, list[dict[str, Any]]]:
    """Return the block's parameters for cache and mask, and its arguments without a cache, without and with padding."""
    from transformers.cache_utils import DynamicCache

    names = list(inspect.signature(block.forward).parameters)
    padding = torch.ones_like(ids)
    padding[:, -1] = 0
    seen: list[dict[str, Any]] = []
    cache_names: list[str] = []
    for mask in (None, padding):
        cache: Any = DynamicCache()

        def watch(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], cache: Any = cache) -> None:
            arguments = {**dict(zip(names, args, strict=False)), **kwargs}
            cache_names.extend(name for name, value in arguments.items() if value is cache)
            seen.append(arguments)

        handle = block.register_forward_pre_hook(watch, with_kwargs=True)
        try:
            decoder(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True)
        finally:
            handle.remove()
    (cache_name,) = set(cache_names)
    (mask_name,) = [name for name, value in seen[1].items() if isinstance(value, Tensor) and value.ndim == 4]
    return LastBlock(block, names[0], cache_name, mask_name, ()), [{**call, cache_name: None} for call in seen]


def _queries(last: LastBlock, arguments: dict[str, Any]) -> tuple[nn.Module, ...]:
    """Return the linear maps that run before keys and values are there and do not change them."""

    def keys_and_values() -> tuple[Tensor, Tensor]:
        cache = _KeysAndValues(None)
        return _first_call(last.block.forward, {**arguments, last.cache: cache}, cache)

    own, found = keys_and_values(), []
    for module in last.block.modules():
        if isinstance(module, nn.Linear):
            ran: list[nn.Module] = []
            handle = module.register_forward_hook(lambda module, args, output, ran=ran: ran.append(module))
            with _replaced(module, _zeros_of(module, lambda: True)):
                without = keys_and_values()
            handle.remove()
            if ran and all(torch.equal(a, b) for a, b in zip(own, without, strict=True)):
                found.append(module)
    return tuple(found)


def _agrees(last: LastBlock, arguments: dict[str, Any], n_tokens: int) -> bool:
    """Return whether the output is the same at every position, another one in each of the two rows."""
    whole = _states(last.block.forward(**arguments))
    for position in range(n_tokens):
        positions = torch.tensor([position, n_tokens - 1 - position])
        with block_at(last, positions):
            cut = _states(last.block.forward(**arguments))
        if not all(close(cut[row, at], whole[row, at]) for row, at in enumerate(positions)):
            return False
    return True


def close(one: Tensor, other: Tensor) -> bool:
    """Return whether two states are the same but for low bits.

    At low precision another shape of a product changes low bits; a wrong position changes all of them.
    """
    allowed = TOLERANCE.get(other.dtype, 5e-2) * float(other.abs().max())
    return bool((one - other).abs().max() <= allowed)


def _states(output: Any) -> Tensor:
    """Return the states of a block's output."""
    states: Tensor = state_of(output)
    return states


def _zeros_of(module: Any, needless: Callable[[], bool]) -> Forward:
    """Return a linear map's forward that gives zeros, and computes nothing, while its output is needless."""
    forward = module.forward

    def maybe(states: Tensor) -> Tensor:
        if not needless():
            return forward(states)
        return states.new_zeros(()).expand(*states.shape[:-1], module.out_features)

    return maybe


@contextmanager
def _replaced(module: nn.Module, forward: Forward) -> Iterator[None]:
    """Give a module another `forward` while the context lasts; its hooks stay."""
    own = module.__dict__.get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own

"""One forward pass per batch: every layer's state at one position, and its score-token logits.

Prompts are padded on the right. Attention is causal, so what follows a prompt does not change it, positions are natural
and no attention mask is needed; the self-check compares with an unpadded prompt. Hooks keep one position per layer, so
nothing of shape (prompts, tokens, d) outlives its block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..model.head import last_states, state_of
from ..model.on_device import fetch, on_device, to_device
from ..model.parts import Parts
from ..model.tail import only_at
from .steps import Step

if TYPE_CHECKING:
    from .prefix_cache import PrefixCache


class States(NamedTuple):
    """States at the read-out position.

    Attributes
    ----------
    layers : Tensor of shape (n, n_layers, d)
        Entries 0..L-1: the embedding output and the outputs of all blocks but the last; of the last one too where
        only the first blocks of a model are loaded.
    final : Tensor of shape (n, d)
        Entry L: after the last block, the final norm and, where there is one, the projection.
    """

    layers: Tensor
    final: Tensor


class Readout(NamedTuple):
    """Score-token logits of n prompts, float32.

    Attributes
    ----------
    logits : ndarray of shape (n, n_layers + 1, n_labels)
        ``h_l . W_U[M]`` (paper, section 3).
    logits_normed : ndarray of shape (n, n_layers + 1, n_labels)
        The model's head on the final norm of ``h_l``; the final norm is applied once at every entry.
    logsumexp : ndarray of shape (n,)
        Over the whole vocabulary at entry L; NaN where only the first blocks of a model are loaded.
    """

    logits: NDArray[np.float32]
    logits_normed: NDArray[np.float32]
    logsumexp: NDArray[np.float32]


def read_batch(
    parts: Parts, prompts: Sequence[NDArray[np.int32]], label_ids: Sequence[int], *, pad_id: int = 0
) -> Readout:
    """Read one batch of prompts at their last token.

    Parameters
    ----------
    parts : Parts
        The model.
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids.
    label_ids : sequence of int
        The score tokens M.
    pad_id : int
        Fills the right of shorter prompts; its value does not matter.
    """
    return project(parts, read_states(parts, prompts, pad_id=pad_id), label_ids)


@torch.inference_mode()
def read_states(parts: Parts, prompts: Sequence[NDArray[np.int32]], *, pad_id: int = 0) -> States:
    """Return every layer's state at the last token of each prompt."""
    return _states(parts, prompts, range(len(prompts)), pad_id=pad_id, options={"use_cache": False})


def read_steps(
    parts: Parts,
    prompts: Sequence[NDArray[np.int32]],
    steps: Iterable[Step],
    label_ids: Sequence[int],
    *,
    pad_id: int = 0,
) -> Iterator[tuple[list[int], Readout]]:
    """Read prompts in the passes of a plan, and yield after each the prompts that it read.

    Parameters
    ----------
    parts, label_ids, pad_id
        As in `read_batch`.
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids.
    steps : iterable of Step
        See `lager.extract.readout.steps.plan_steps`.

    Yields
    ------
    list of int
        Rows of `prompts`.
    Readout
        Theirs, in this order.
    """
    before: _Read | None = None
    try:
        for rows, of, states in step_states(parts, prompts, steps, pad_id=pad_id):
            now = _Read(rows, of, project_later(parts, states, label_ids))
            # A pass is fetched when the next one is queued, so that a GPU always has something to do.
            if before is not None:
                yield before.result()
            before = now
    except RuntimeError:  # memory ran out: what was read before is not read again
        if before is not None:
            yield before.result()
        raise
    if before is not None:
        yield before.result()


class _Read(NamedTuple):
    """A pass that is queued: the rows that it reads, which read-out is whose, and what waits for the read-outs."""

    rows: list[int]
    of: list[int]
    readout: Callable[[], Readout]

    def result(self) -> tuple[list[int], Readout]:
        """Wait for the read-outs, and return the rows with theirs."""
        return self.rows, Readout(*(values[self.of] for values in self.readout()))


def step_states(
    parts: Parts, prompts: Sequence[NDArray[np.int32]], steps: Iterable[Step], *, pad_id: int = 0
) -> Iterator[tuple[list[int], list[int], States]]:
    """Run the passes of a plan, and yield after each the prompts that end in it."""
    from .prefix_cache import PrefixCache

    cache: PrefixCache | None = None
    for step in steps:
        texts = [prompts[segment.row][step.prefix : segment.stop] for segment in step.segments]
        ending = [n for n, segment in enumerate(step.segments) if segment.ends]
        if step.prefix or any(segment.keep_from < segment.stop for segment in step.segments):
            cache = cache or PrefixCache(len(parts.blocks))
            states = _shared_states(parts, texts, ending, step, cache, pad_id=pad_id)
        else:
            cache = None  # a step that begins anew needs nothing of the pool
            states = read_states(parts, texts, pad_id=pad_id)
        if ending:
            of = [at for at, n in enumerate(ending) for _ in step.segments[n].ends]
            yield [row for n in ending for row in step.segments[n].ends], of, states


@torch.inference_mode()
def _shared_states(
    parts: Parts, texts: Sequence[NDArray[np.int32]], ending: Sequence[int], step: Step, cache: PrefixCache,
    *, pad_id: int,
) -> States:  # fmt: skip
    """Run one pass that continues prefixes of the pool, and add to the pool what others will continue."""
    cache.begin(step)
    options = {"use_cache": True, "past_key_values": cache.past_key_values}
    states = _states(parts, texts, ending, pad_id=pad_id, options=options)
    cache.end()
    return states


def _states(
    parts: Parts, texts: Sequence[NDArray[np.int32]], rows: Sequence[int], *, pad_id: int, options: dict[str, Any]
) -> States:
    """Run one pass over `texts`, padded on the right, and return the states at the last tokens of `rows`."""
    padded = np.full((len(texts), max(map(len, texts))), pad_id, dtype=np.int64)
    for row, text in zip(padded, texts, strict=True):
        row[: len(text)] = text
    device = next(parts.decoder.parameters()).device
    which, ends = torch.tensor(rows, dtype=torch.long), torch.tensor([len(text) - 1 for text in texts])
    picked = on_device(which, ends[which])

    def pick(hidden: Tensor) -> Tensor:
        # The index comes from the true length, never from the pad id or the end of the row.
        return hidden[picked(hidden.device)]

    layers: list[Tensor] = []

    def keep(hidden: Tensor) -> None:
        # Into one tensor made before the first block runs: small ones made between the blocks' large temporaries would
        # leave holes in the host's memory, a quarter of the peak.
        if not layers:
            layers.append(hidden.new_empty(len(rows), n_kept, hidden.shape[-1]))
        layers[0][:, next(entries)] = pick(hidden)

    n_kept = len(parts.blocks) + (not parts.whole)
    entries = iter(range(n_kept))
    with each_entry(parts.blocks, keep, last=not parts.whole), only_at(parts.tail, ends):
        output = parts.decoder(input_ids=to_device(torch.from_numpy(padded), device), **options)
        final = pick(last_states(output))
    return States(layers[0].to(final.device), final)


@contextmanager
def each_entry(blocks: Sequence[nn.Module], take: Callable[[Tensor], None], *, last: bool = False) -> Iterator[None]:
    """Hand over the input of the first block and the output of all but the last, or all, while the context lasts."""

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        take(args[0] if args else kwargs.get("hidden_states", next(iter(kwargs.values()))))

    def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        take(state_of(output))

    handles = [blocks[0].register_forward_pre_hook(before, with_kwargs=True)]
    try:
        handles += [block.register_forward_hook(after) for block in blocks[: len(blocks) if last else -1]]
        yield
    finally:
        for handle in handles:
            handle.remove()


def project(parts: Parts, states: States, label_ids: Sequence[int]) -> Readout:
    """Return the read-outs of states; see `Readout`."""
    return project_later(parts, states, label_ids)()


@torch.inference_mode()
def project_later(parts: Parts, states: States, label_ids: Sequence[int]) -> Callable[[], Readout]:
    """Queue the read-outs of states on the device, and return what waits for them."""
    head = parts.head
    ids = to_device(torch.tensor(label_ids), head.weight.device)
    layers, normed = states.layers, apply_norm(parts, states.layers)
    if parts.projection is not None:
        # The residual stream reaches the unembedding through this linear map only, so it is part of W_U.
        layers, normed = parts.projection(layers), parts.projection(normed)
    if not parts.whole:
        unknown = states.final.new_full((len(states.final),), torch.nan)
        arrays = fetch([head.raw(layers, ids), head.logits(normed, ids), unknown])
        return lambda: Readout(*arrays())
    final = states.final[:, None]
    logits = torch.cat([head.raw(layers, ids), head.raw(final, ids)], dim=1)
    logits_normed = torch.cat([head.logits(normed, ids), head.logits(final, ids)], dim=1)
    arrays = fetch([logits, logits_normed, head.logsumexp(states.final)])
    return lambda: Readout(*arrays())


def apply_norm(parts: Parts, states: Tensor) -> Tensor:
    """Return states after the model's final norm, unchanged where it has none."""
    for module in parts.norm:
        states = module(states)
    return states

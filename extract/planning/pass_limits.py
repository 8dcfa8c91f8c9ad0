"""Which prompts may be read in one pass: found by trying the model, no table of architectures.

LongRoPE chooses its frequencies by the longest text of a pass, so padding past a limit, or a shared prefix that ends
before it, changes a prompt's numbers. Other parts may depend on the batch too: dynamic NTK, experts with a capacity,
8-bit activations, chunks of attention. Every length that the model's configuration names is tried on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ...data.progress import Say
from ..model.judge import Judge
from ..readout.batches import is_out_of_memory, plan_batches
from ..readout.readout import Readout, read_batch
from ..readout.self_check import allowed_difference
from .forking import forking_problem, largest_difference, longest_two
from .versions import library_versions

Prompts = Sequence[NDArray[np.int32]]

_NAMES_A_LENGTH = re.compile(r"position|window|chunk|length|context|seq")
# Another shape of a pass changes low bits. What passes a limit is told from them when it changes more than this part
# of what is allowed altogether, and this many times what the same prompt's padding changes before the limit.
_STRICTER, _TIMES = 0.1, 8.0


def named_lengths(config: Any) -> list[int]:
    """Return every length that a model's configuration names, at any depth, ascending."""
    return sorted({value for value in _lengths(config.to_dict(), named=False) if value > 1})


def _lengths(value: Any, *, named: bool) -> Iterator[int]:
    """Yield the whole numbers below a key that names a length."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _lengths(below, named=_NAMES_A_LENGTH.search(str(key)) is not None)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _lengths(one, named=named)
    elif named and isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
        yield int(value)


class PassLimits:
    """What the passes of a run must keep apart, tried as soon as prompts are long enough to meet it.

    Parameters
    ----------
    judge : Judge
        The model.
    batch_tokens : int
        Padded tokens of a batch.
    share_prefixes : bool
        Whether prefixes may be shared.
    say : callable
        Takes a line for each limit that is kept.

    Attributes
    ----------
    borders : tuple of int
        No pass reads prompts of at most so many tokens together with longer ones, or continues a prefix across.
    alone : bool
        Whether every prompt needs a pass by itself.
    """

    def __init__(self, judge: Judge, *, batch_tokens: int, share_prefixes: bool, say: Say) -> None:
        self.judge, self.batch_tokens, self.share_prefixes, self.say = judge, batch_tokens, share_prefixes, say
        self.borders: tuple[int, ...] = ()
        self.alone = batch_tokens == 1 and not share_prefixes
        self._untried = named_lengths(judge.model.config)
        self._batch_tried = False
        self._together: tuple[Prompts, Readout | None] = ((), None)
        self._under = {
            "batch_tokens": batch_tokens,
            "share_prefixes": share_prefixes,
            "devices": judge.devices,
            "versions": library_versions(judge),
        }

    def as_json(self) -> dict[str, Any]:
        """Return what was found, and under which conditions: what a run that goes on need not try again."""
        return {
            "under": self._under,
            "untried": list(self._untried),
            "batch_tried": self._batch_tried,
            "borders": list(self.borders),
            "alone": self.alone,
        }

    def take(self, found: Any) -> None:
        """Take over what an earlier run found under the same conditions, and say what of it holds."""
        if not isinstance(found, Mapping) or found.get("under") != self._under:
            return
        borders, untried = found.get("borders"), found.get("untried")
        if not (_are_lengths(borders) and _are_lengths(untried) and set(untried) <= set(self._untried)):
            return
        self._untried, self._batch_tried = list(untried), found.get("batch_tried") is True
        for border in borders:
            self._keep(border, "found when the run began")
        if found.get("alone") is True and not self.alone:
            self.alone = True
            self.say("every prompt is read in a pass of its own: found when the run began")

    def settle(self, prompts: Prompts, label_ids: Sequence[int], *, new_tokens: int = 0) -> tuple[int, ...]:
        """Try the limits that these prompts meet, those alone that were not tried before, and return the borders.

        Parameters
        ----------
        prompts : sequence of ndarray of shape (n_tokens,)
            Token ids.
        label_ids : sequence of int
            The score tokens.
        new_tokens : int
            As many tokens may follow a prompt.
        """
        if not prompts or self.alone:
            return self.borders
        longest = max(prompts, key=len)
        for limit in [n for n in self._untried if n < len(longest) + new_tokens]:
            # Where no two prompts fit into a batch, and nothing is shared, no pass has both sides.
            if not self.alone and (self.share_prefixes or 2 * (limit + 1) <= self.batch_tokens):
                self._untried.remove(limit)
                self._try(limit, longest, label_ids)
        if not self.alone and not self._batch_tried:
            self._try_batch(prompts, label_ids)
        return self.borders

    def _try(self, limit: int, prompt: NDArray[np.int32], label_ids: Sequence[int]) -> None:
        """Read a prompt of fewer tokens than a limit in passes that end before, at and after it."""
        more = max(1, limit // 4)
        text = np.resize(prompt, min(limit + more, self.judge.context_length or limit + more))
        short = text[: limit - more]
        widths = sorted({width for width in (limit - 1, limit, limit + 1, len(text)) if width >= len(short)})
        try:
            alone = self._read([short], label_ids)
            inside = [self._read([text[:width], short], label_ids) for width in widths]
            beyond = largest_difference(_row(inside[-1], 0), self._read([text], label_ids), [0])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._keep(limit, "passes over it do not fit into memory to be tried")
            return
        shorts = [alone, *(_row(readout, 1) for readout in inside)]
        noise, *changes = (largest_difference(now, before, [0]) for before, now in pairwise(shorts))
        by_width = dict(zip(widths[1:], changes, strict=True))
        allowed = allowed_difference(self.judge, 1.0)
        later = by_width.get(len(text), 0.0) if len(text) > limit + 1 else 0.0
        if max(noise, beyond, later) > allowed:
            self._read_alone(max(noise, beyond, later))
            return
        told = max(allowed * _STRICTER, noise * _TIMES)
        for border in (limit - 1, limit):
            change = by_width.get(border + 1, 0.0)
            if change > told:
                self._keep(border, f"padding past it changes read-outs by {change:.2g} of the largest")
        if self.share_prefixes and not {limit - 1, limit} & set(self.borders):
            self._try_fork(limit, text, label_ids)

    def _try_fork(self, limit: int, text: NDArray[np.int32], label_ids: Sequence[int]) -> None:
        """Continue a prefix that ends before a limit past it."""
        at = limit - max(1, limit // 4)
        others = text[text != text[at]]
        if not len(others):
            return
        other = text.copy()
        other[at] = others[0]
        # Where keys and values cannot be forked even before the limit, nothing will be shared.
        if not self._problem([text[:limit], other[:limit]], label_ids) and self._problem([text, other], label_ids):
            self._keep(limit, "a prefix that is continued past it changes read-outs")

    def _problem(self, two: Prompts, label_ids: Sequence[int]) -> bool:
        """Return whether two prompts with one beginning cannot share it."""
        try:
            return bool(forking_problem(self.judge, two, label_ids))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return True

    def _try_batch(self, prompts: Prompts, label_ids: Sequence[int]) -> None:
        """Read two prompts that one batch may hold together and alone."""
        two = self._two_of_a_batch(prompts)
        if two is None:
            return
        self._batch_tried = True
        try:
            together = self._read(two, label_ids)
            alone = [self._read([prompt], label_ids) for prompt in two]
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return  # the batches of the run become smaller too
        change = max(largest_difference(_row(together, n), one, [0]) for n, one in enumerate(alone))
        if change > allowed_difference(self.judge, 1.0):
            self._read_alone(change)
        self._together = (two, together)

    def _two_of_a_batch(self, prompts: Prompts) -> Prompts | None:
        """Return the two on which sharing will be tried, else the ends of the first batch of several.

        Padding is looked at by the self-check of the first shard.
        """
        two = longest_two(prompts) if self.share_prefixes and not self.borders else []
        if len(two) == 2 and 2 * max(map(len, two)) <= self.batch_tokens:
            return two
        lengths = [len(prompt) for prompt in prompts]
        batches = plan_batches(lengths, batch_tokens=self.batch_tokens, borders=self.borders)
        return next(([prompts[batch[0]], prompts[batch[-1]]] for batch in batches if len(batch) > 1), None)

    def readout_of(self, two: Prompts) -> Readout | None:
        """Return what was read of two prompts in one pass, when they were tried together; once."""
        (tried, readout), self._together = self._together, ((), None)
        same = len(tried) == len(two) and all(map(np.array_equal, tried, two))
        return readout if same else None

    def _read(self, prompts: Prompts, label_ids: Sequence[int]) -> Readout:
        """Return the read-outs of one pass."""
        return read_batch(self.judge.parts, prompts, label_ids, pad_id=self.judge.pad_id)

    def _keep(self, border: int, why: str) -> None:
        """Keep passes on one side of a limit, and say so."""
        self.borders = tuple(sorted({*self.borders, border}))
        self.say(f"prompts of up to {border} tokens and longer ones are read in passes of their own: {why}")

    def _read_alone(self, change: float) -> None:
        """Read every prompt in a pass of its own, and say so."""
        self.alone = True
        self.say(
            f"every prompt is read in a pass of its own: what else is in a pass changes read-outs by {change:.2g} of "
            "the largest"
        )


def _are_lengths(values: Any) -> TypeGuard[list[int]]:
    """Return whether a value is a list of lengths."""
    return isinstance(values, list) and all(type(value) is int and value > 0 for value in values)


def _row(readout: Readout, row: int) -> Readout:
    """Return the read-outs of one prompt."""
    return Readout(*(values[row : row + 1] for values in readout))

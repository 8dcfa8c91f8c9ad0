"""The forward passes that read the prompts of a shard, with what they share computed once.

A step is one pass over the tokens that a few prompts have beyond their first `prefix` ones; the keys and values of
those come from a pool that earlier steps filled. All segments of a step have the same prefix length, so positions are
natural and no mask is needed; where the nodes they continue differ in length, the rest is computed again. The plan
depends on the prompts and the token budget alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .batches import equal_rows, plan_batches, side_of
from .prefix_tree import NODE_TOKENS, TOP, Node, prefix_tree

# What a pass costs beside its tokens; see `lager.extract.readout.prefix_tree.NODE_TOKENS`.
STEP_TOKENS = 128
# A token of a forked prefix holds the keys and values of one block while that block runs; a computed one holds all
# that a block needs, several times as much. This many of the first weigh as one of the second.
FORKED_TOKENS = 4
# Attending to this many tokens takes as long as a token's other work; more on models wider than 700. A pass without a
# prefix attends to half its own tokens on average; with one, most attention kernels compute what the mask then hides.
ATTENDED_TOKENS = 4096
# Sharing is done where it is expected to need less than this part of the work of plain batches.
_WORTH = 0.9


class Segment(NamedTuple):
    """A row of a step.

    Attributes
    ----------
    row : int
        The prompt whose tokens are computed.
    stop : int
        Up to this token, counted in the prompt.
    ends : tuple of int
        The prompts that end there, and are read.
    spans : tuple of (int, int)
        Where in the pool its prefix lies, as start and stop of each piece.
    keep_from : int
        Tokens from here to `stop` are added to the pool; equal to `stop` where none are.
    """

    row: int
    stop: int
    ends: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    keep_from: int


class Step(NamedTuple):
    """One forward pass.

    Attributes
    ----------
    prefix : int
        How many tokens of each segment's prompt are in the pool.
    pool : int
        The pool is cut to so many tokens before: the rest is no longer needed.
    segments : tuple of Segment
    """

    prefix: int
    pool: int
    segments: tuple[Segment, ...]

    @property
    def width(self) -> int:
        """The tokens of the longest segment."""
        return max(segment.stop for segment in self.segments) - self.prefix

    @property
    def n_tokens(self) -> int:
        """The tokens that are computed, without padding."""
        return sum(segment.stop - self.prefix for segment in self.segments)


def plan_steps(
    prompts: Sequence[NDArray[np.int32]], *, batch_tokens: int, share_prefixes: bool = True, always: bool = False,
    borders: Sequence[int] = (),
) -> list[Step]:  # fmt: skip
    """Return the steps that read each prompt once, at its last token; equal prompts are one.

    Parameters
    ----------
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids, at least one each.
    batch_tokens : int
        Most padded tokens of a step; of a forked prefix one in `FORKED_TOKENS` counts. The pool holds at most as many
        tokens, and those of one prompt.
    share_prefixes : bool
        Whether to compute what prompts share once, where that saves work.
    always : bool
        Share even where it saves nothing.
    borders : sequence of int
        The longest token position of a step is on the same side of each as all prompts that it reads or will be
        continued to; ascending.
    """
    sides: dict[int, list[int]] = {}
    for row, prompt in enumerate(prompts):
        sides.setdefault(side_of(len(prompt), borders), []).append(row)
    return [
        _renumbered(step, rows)
        for side, rows in sorted(sides.items(), reverse=True)
        for step in _one_side(
            [prompts[row] for row in rows], batch_tokens, share_prefixes=share_prefixes, always=always,
            border=borders[side - 1] if side else 0,
        )
    ]  # fmt: skip


def _renumbered(step: Step, rows: Sequence[int]) -> Step:
    """Return a step over some rows with their numbers among all of them."""
    segments = (s._replace(row=rows[s.row], ends=tuple(rows[end] for end in s.ends)) for s in step.segments)
    return step._replace(segments=tuple(segments))


def _one_side(
    prompts: Sequence[NDArray[np.int32]], batch_tokens: int, *, share_prefixes: bool, always: bool, border: int
) -> list[Step]:
    """Return the steps of prompts that are all longer than a border; no step ends before it."""
    alike = equal_rows(prompts)
    whole = [Segment(rows[0], len(prompts[rows[0]]), tuple(rows), (), len(prompts[rows[0]])) for rows in alike]
    plain = [
        Step(0, 0, tuple(whole[n] for n in batch))
        for batch in plan_batches([segment.stop for segment in whole], batch_tokens=batch_tokens)
    ]
    if not share_prefixes:
        return plain
    tree = prefix_tree(prompts, node_tokens=0 if always else NODE_TOKENS, longer_than=border)
    if not shares(tree):
        return plain
    shared = _TreeSteps(tree, batch_tokens).steps
    return shared if always or step_cost(shared) < _WORTH * step_cost(plain) else plain


def shares(tree: Iterable[Node]) -> bool:
    """Return whether any node continues another or ends several prompts."""
    return any(node.parent != TOP or len(node.ends) > 1 for node in tree)


def step_cost(steps: Iterable[Step]) -> float:
    """Return the expected work in tokens: those computed and padded, what they attend to, and each pass by itself."""
    total = 0.0
    for step in steps:
        attended = step.prefix + step.width if step.prefix else step.width / 2
        total += len(step.segments) * step.width * (1 + attended / ATTENDED_TOKENS) + STEP_TOKENS
    return total


class _TreeSteps:
    """Walks the tree depth first, many nodes of one depth at a time."""

    def __init__(self, tree: Sequence[Node], batch_tokens: int) -> None:
        self.tree, self.batch_tokens = tree, batch_tokens
        self.children: dict[int, list[int]] = {}
        for number, node in enumerate(tree):
            self.children.setdefault(node.parent, []).append(number)
        self.spans: dict[int, tuple[tuple[int, int], ...]] = {TOP: ()}
        self.steps: list[Step] = []
        # Nodes to run, the pool's length before them, and for those that are continued the room left in it.
        work: list[tuple[list[int], int, int]] = self._divided(self.children[TOP], pool=0)
        while work:
            nodes, pool, room = work.pop()
            after = self._run(nodes, pool)
            if below := [child for node in nodes for child in self.children.get(node, [])]:
                work += self._divided(below, pool=after, room=room - (after - pool))

    def _divided(self, nodes: Sequence[int], *, pool: int, room: int | None = None) -> list[tuple[list[int], int, int]]:
        """Return the steps for sibling and cousin nodes, last first: those that end first, then those continued."""
        room = self.batch_tokens if room is None else room
        ending = [node for node in nodes if node not in self.children]
        continued = [node for node in nodes if node in self.children]
        # Half of the room is left for what continues these, and so on down.
        batches = [*self._batches(ending, None), *self._batches(continued, room // 2)]
        return [(batch, pool, room) for batch in reversed(batches)]

    def _batches(self, nodes: Iterable[int], most_kept: int | None) -> list[list[int]]:
        """Join nodes whose prefixes and ends are alike, within the budget, while that costs less than a new pass."""
        tree = self.tree
        batches: list[list[int]] = []
        longest = kept = 0
        for node in sorted(nodes, key=lambda n: (-tree[n].start, -tree[n].stop, n)):
            prefix, stop = tree[node].start, tree[node].stop
            if batches:
                batch = batches[-1]
                before = len(batch) * (longest - tree[batch[-1]].start)
                width = max(longest, stop) - prefix
                joined = (len(batch) + 1) * width
                fits = (len(batch) + 1) * (width + prefix / FORKED_TOKENS) <= self.batch_tokens
                fits = fits and (most_kept is None or kept + stop - prefix <= most_kept)
                if fits and joined <= before + (stop - prefix) + STEP_TOKENS:
                    batch.append(node)
                    longest, kept = max(longest, stop), kept + stop - prefix
                    continue
            batches.append([node])
            longest, kept = stop, stop - prefix
        return batches

    def _run(self, nodes: Sequence[int], pool: int) -> int:
        """Add the step that runs `nodes` and return the pool's length after it."""
        prefix = min(self.tree[node].start for node in nodes)
        segments, at = [], pool
        for number in nodes:
            node = self.tree[number]
            before = self.spans[node.parent]
            continued = number in self.children
            if continued:
                self.spans[number] = (*before, (at, at + node.stop - node.start))
                at += node.stop - node.start
            segments.append(
                Segment(node.row, node.stop, node.ends, _cut(before, prefix), node.start if continued else node.stop)
            )
        self.steps.append(Step(prefix, pool, tuple(segments)))
        return at


def _cut(spans: Sequence[tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    """Return the spans of the first `length` tokens."""
    kept: list[tuple[int, int]] = []
    for start, stop in spans:
        if length <= 0:
            break
        kept.append((start, min(stop, start + length)))
        length -= stop - start
    return tuple(kept)

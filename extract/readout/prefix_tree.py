"""The prompts of a shard as a tree over their tokens: a node is a run of tokens with which several prompts begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# What a node of the tree costs beside its own tokens, in tokens: one more pass that waits for another. A pass over few
# tokens takes as long as one over 20 on two CPU cores and one over some hundred on a large GPU. It is a constant,
# because a plan must not depend on the device.
NODE_TOKENS = 64
TOP = -1


class Node(NamedTuple):
    """A run of tokens, computed once.

    Attributes
    ----------
    parent : int
        The node before it, `TOP` where there is none.
    row : int
        A prompt that holds it.
    start, stop : int
        Where in the prompt it lies; `start` is where the parent stops.
    ends : tuple of int
        The prompts that end with it; equal prompts end together.
    """

    parent: int
    row: int
    start: int
    stop: int
    ends: tuple[int, ...]


def prefix_tree(
    prompts: Sequence[NDArray[np.int32]], *, node_tokens: int = NODE_TOKENS, longer_than: int = 0
) -> list[Node]:
    """Return the tree that computes the fewest tokens, at `node_tokens` for each node that others continue.

    Parameters
    ----------
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids, at least one each.
    node_tokens : int
        What a shared node costs beside its own tokens.
    longer_than : int
        Every node that others continue stops after so many tokens of its prompt.

    Returns
    -------
    list of Node
        Parents before children. Each prompt ends in one node.
    """
    trie = _Trie(prompts)
    return trie.pruned(node_tokens, longer_than)


class _Trie:
    """Every place where prompts part, from sorting them."""

    def __init__(self, prompts: Sequence[NDArray[np.int32]]) -> None:
        self.parent: list[int] = []
        self.row: list[int] = []
        self.stop: list[int] = []
        self.ends: list[list[int]] = []
        # Big-endian bytes sort as the tokens do, and a prompt sorts before its continuations.
        order = sorted(range(len(prompts)), key=lambda row: (prompts[row].astype(">u4").tobytes(), row))
        open_nodes: list[int] = []  # the path to the prompt before
        for place, row in enumerate(order):
            prompt = prompts[row]
            shared = _common(prompts[order[place - 1]], prompt) if place else 0
            last = TOP
            while open_nodes and self.stop[open_nodes[-1]] > shared:
                last = open_nodes.pop()
            if last != TOP and shared and (not open_nodes or self.stop[open_nodes[-1]] < shared):
                fork = self._add(row, shared, open_nodes)
                self.parent[last] = fork
                open_nodes.append(fork)
            if not open_nodes or self.stop[open_nodes[-1]] < len(prompt):
                open_nodes.append(self._add(row, len(prompt), open_nodes))
            self.ends[open_nodes[-1]].append(row)

    def _add(self, row: int, stop: int, path: Sequence[int]) -> int:
        """Add a node and return its number."""
        self.parent.append(path[-1] if path else TOP)
        self.row.append(row)
        self.stop.append(stop)
        self.ends.append([])
        return len(self.stop) - 1

    def pruned(self, node_tokens: int, longer_than: int) -> list[Node]:
        """Return the nodes worth their price; what the others hold is computed by each of their children."""
        keep = self._worth_keeping(node_tokens, longer_than)
        above: dict[int, int] = {TOP: TOP}  # of each node of the trie: the nearest kept node, itself if kept
        number = {TOP: TOP}
        nodes: list[Node] = []
        for node in sorted(range(len(self.stop)), key=lambda n: (self.stop[n], n)):
            before = above[self.parent[node]]
            kept = keep[node][before]
            above[node] = node if kept else before
            if not kept and not self.ends[node]:
                continue
            number[node] = len(nodes)
            start = self.stop[before] if before != TOP else 0
            nodes.append(Node(number[before], self.row[node], start, self.stop[node], tuple(self.ends[node])))
        return nodes

    def _worth_keeping(self, node_tokens: int, longer_than: int) -> list[dict[int, bool]]:
        """Return for each node, and each node above that could be the nearest kept one, whether to keep it."""
        children: dict[int, list[int]] = {}
        for node, parent in enumerate(self.parent):
            children.setdefault(parent, []).append(node)
        cost: list[dict[int, int]] = [{} for _ in self.stop]
        keep: list[dict[int, bool]] = [{} for _ in self.stop]
        for node in sorted(range(len(self.stop)), key=lambda n: -self.stop[n]):  # children before parents
            below = children.get(node, [])
            continued = sum(cost[child][node] for child in below)
            above = self.parent[node]
            while True:
                own = self.stop[node] - (self.stop[above] if above != TOP else 0)
                kept = own + node_tokens + continued
                dropped = sum(cost[child][above] for child in below) + (own if self.ends[node] else 0)
                kept_here = bool(below) and kept < dropped and self.stop[node] > longer_than
                keep[node][above] = kept_here
                cost[node][above] = (kept if kept_here else dropped) if below else own
                if above == TOP:
                    break
                above = self.parent[above]
        return keep


def _common(one: NDArray[np.int32], other: NDArray[np.int32]) -> int:
    """Return with how many equal tokens two prompts begin."""
    n = min(len(one), len(other))
    different = np.flatnonzero(one[:n] != other[:n])
    return int(different[0]) if len(different) else n

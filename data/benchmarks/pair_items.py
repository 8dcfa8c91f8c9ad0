"""Two responses to one instruction, of which one is better: as two items a pair.

``responses`` makes an item of each response, to be scored by itself; the higher score is the preference. ``orders``
makes an item of each order in which both are shown; its score is 1 where the one shown first is the better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..scale import Scale
from .rows import Parsed, Row, one_cluster_a_text

PARTS = {
    "responses": "one item per response, 1-5",
    "orders": "both responses in one prompt, in both orders",
}
_QUALITY = "the response does what the instruction asks, and what it says is right."


class Pair(NamedTuple):
    """One pair.

    Attributes
    ----------
    pair_id, instruction : str
    responses : tuple of str
        A and B.
    preferred : str
        ``A``, ``B`` or ``tie``.
    category : str
        What the pair is of.
    systems : tuple of (str or None)
        What wrote A and B.
    """

    pair_id: str
    instruction: str
    responses: tuple[str, str]
    preferred: str
    category: str
    systems: tuple[str | None, str | None] = (None, None)


def pair_items(pairs: Iterable[Pair], part: str | None) -> Parsed:
    """Return two items a pair, with columns `pair`, `side` (A or B) and `preferred` (A, B or tie).

    Pairs about one instruction are one cluster, called after the first of them.

    Of ``responses``, `side` is the response, and it has no human score of its own. Of ``orders``, `side` is the
    response shown first.
    """
    items = _in_orders if part == "orders" else _by_themselves
    rows = one_cluster_a_text([row for pair in pairs for row in items(pair)], fields=("instruction",))
    if part == "orders":
        return Parsed(rows, Scale(("A", "B"), (1.0, 0.0)), template="pairwise")
    return Parsed(rows, Scale.parse("1-5"))


def _by_themselves(pair: Pair) -> Sequence[Row]:
    return [
        Row(
            f"{pair.pair_id}/{side}",
            {
                "instruction": pair.instruction,
                "response": response,
                "criterion": "quality",
                "rubric": _QUALITY,
            },
            [],
            group=pair.category,
            cluster=pair.pair_id,
            system=system,
            columns={"pair": pair.pair_id, "side": side, "preferred": pair.preferred},
        )
        for side, response, system in zip("AB", pair.responses, pair.systems, strict=True)
    ]


def _in_orders(pair: Pair) -> Sequence[Row]:
    first, second = pair.responses
    shown = {"A": (first, second), "B": (second, first)}
    return [
        Row(
            f"{pair.pair_id}/{side}",
            {"instruction": pair.instruction, "first": one, "second": other},
            [0.5 if pair.preferred == "tie" else float(pair.preferred == side)],
            group=pair.category,
            cluster=pair.pair_id,
            columns={"pair": pair.pair_id, "side": side, "preferred": pair.preferred},
        )
        for side, (one, other) in shown.items()
    ]

"""Where in a generated text the score stands, found in its tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

_MARKER = re.compile("score", re.IGNORECASE)
# A label glued to letters or digits is part of a longer word or number ("10", or "A" + "nswer"); the 5 of "4/5", "4.5"
# and "4 out of 5" is no score, nor are the ends of "1-5" and "1 to 5". Letters of other scripts do not count: in many a
# score stands between them without a space.
_GLUED_BEFORE = re.compile(r"([A-Za-z0-9]|[0-9][.,]|[0-9] ?(/|-|to|out of) ?)\Z")
_GLUED_AFTER = re.compile(r"[A-Za-z0-9]| ?(-|to) ?[0-9]")
_NEAR = 12
_SPACES = str.maketrans({"▁": " ", "Ġ": " ", "Ċ": "\n"})
# The form of a token that is a label, but has no counterpart for every other label.
NO_FORM = -1


class LabelToken(NamedTuple):
    """A token that is a label.

    Attributes
    ----------
    form : int
        Which of the label forms it belongs to; see `lager.extract.label_forms`.
    label : int
        Which label of the scale it is.
    """

    form: int
    label: int


class Score(NamedTuple):
    """A score in a generated text.

    Attributes
    ----------
    at : int
        Index of the label's token in the generated tokens.
    form : int
        The form of the label.
    """

    at: int
    form: int


def find_score(
    ids: Sequence[int], pieces: Sequence[str], labels: Mapping[int, LabelToken], *, rule: str
) -> Score | None:
    """Find the label that is the judge's score.

    Parameters
    ----------
    ids : sequence of int
        The generated tokens, without the one that ended them.
    pieces : sequence of str
        What the vocabulary calls them; see `token_pieces`.
    labels : mapping
        Token id to what label it is.
    rule : {"marker", "last"}
        ``last``: the last label token, whatever surrounds it (the paper's rule, section 4). ``marker``: of the labels
        that stand by themselves, the first after the last "score" of the text, in any case of letters; the last one
        where none follows it.

    Returns
    -------
    Score or None
        None where there is no label.
    """
    found = [n for n, token in enumerate(ids) if token in labels]
    if rule == "marker":
        ends = list(accumulate(map(len, pieces)))
        text = "".join(pieces)
        found = [n for n in found if _stands_alone(text, ends[n] - len(pieces[n]), ends[n])]
        last = max((match.end() for match in _MARKER.finditer(text)), default=None)
        after = [n for n in found if last is not None and ends[n] - len(pieces[n]) >= last]
        found = after[:1] or found
    return Score(found[-1], labels[ids[found[-1]]].form) if found else None


def _stands_alone(text: str, start: int, end: int) -> bool:
    if text[start : start + 1].isspace():
        start += 1
    before, after = text[max(start - _NEAR, 0) : start], text[end : end + _NEAR]
    return not (_GLUED_BEFORE.search(before) or _GLUED_AFTER.match(after))


def token_pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return what the vocabulary calls tokens, with plain spaces and newlines; exact for ASCII text."""
    names = tokenizer.convert_ids_to_tokens([int(token) for token in ids])
    texts = (name.decode("utf-8", "replace") if isinstance(name, bytes) else name or "" for name in names)
    return [text.translate(_SPACES) for text in texts]

"""Label forms: the tokens a label can be inside generated text, with and without the space before it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from ...data.errors import LagerError
from ...data.scale import Scale
from .score_tokens import SEPARATORS, ScoreTokenResolver, Tokenize

# What may stand before a score; tokens at the end of a text depend on what is near.
_CONTEXTS = ("Score:", "Score:\n", "Score: (", "Score: **", "is")


class LabelForms(NamedTuple):
    """The ways in which one token is a label.

    Attributes
    ----------
    ids : tuple of tuple of int
        For each form the token of every label, in the scale's order. A read-out uses the tokens of one form.
    tokens : dict
        Token id to form and label; `NO_FORM` where a token is a label and not every label has one of its kind, such
        as a " 3" in a vocabulary without " 4".
    """

    ids: tuple[tuple[int, ...], ...]
    tokens: dict[int, LabelToken]


def find_label_forms(tokenize: Tokenize, tokenizer: Any, scale: Scale) -> LabelForms:
    """Find every form in which all labels of a scale are one distinct token each.

    A vocabulary that splits spaces from digits has one form for "5" and " 5"; one that joins them has two.

    Parameters
    ----------
    tokenize : callable
        From texts to token ids, as prompts are tokenised.
    tokenizer : object
        Names tokens in errors; knows the unknown token.
    scale : Scale
        The labels.

    Raises
    ------
    LagerError
        When there is no such form; it lists the labels' tokens.
    """
    forms: list[tuple[int, ...]] = []
    errors: list[LagerError] = []
    endings: list[tuple[int, int]] = []
    for context in _CONTEXTS:
        (ids,) = tokenize([context])
        for sep in SEPARATORS:
            endings += [(row[-1], n) for n, row in enumerate(tokenize([context + sep + name for name in scale.labels]))]
            try:
                forms.append(ScoreTokenResolver(tokenize, tokenizer, scale, sep).resolve(context, ids).label_ids)
            except LagerError as error:
                errors.append(error)
    if not forms:
        raise errors[0]
    distinct = tuple(dict.fromkeys(forms))
    tokens: dict[int, LabelToken] = {}
    for form, label_ids in enumerate(distinct):
        for label, token in enumerate(label_ids):
            tokens.setdefault(token, LabelToken(form, label))
    pieces = token_pieces(tokenizer, [token for token, _ in endings])
    for (token, label), piece in zip(endings, pieces, strict=True):
        if piece.strip() == scale.labels[label]:
            tokens.setdefault(token, LabelToken(NO_FORM, label))
    return LabelForms(distinct, tokens)


# What announces a score: a word, up to forty characters of its line, then a colon, an equals sign or "is".
_WORD, _SAYS = "(?:score|rating)", r"[^\n:=.!?]{0,40}?(?:[:=]|\bis\b)"
_OPEN = r"[\s*_\"'`(\[<>#=-]{0,12}(?:an? )?[*_\"'`(\[]{0,4}"  # what may stand between that and the label
#: From the surest to the weakest; of one kind the first that a label follows counts.
_MARKERS = tuple(
    re.compile(f"(?:{pattern}){_OPEN}", re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\[RESULT\]|\[\[|\b(?:final|overall|total) {_WORD}\b{_SAYS}",
        rf"(?:^|[{{,<])[\s*_#\"'>]*{_WORD}\b(?:{_SAYS}|>)",
        rf"\b{_WORD}\b{_SAYS}",
        r"\b(?:scor(?:e|es|ed|ing)|rat(?:e|es|ed|ing))\b(?: (?:it|this|that|the \w+))?"
        r"(?: (?:of|at|as|to|with|would be|should be|must be|deserves))?",
    )
)
_SURE = len(_MARKERS) - 1  # the last kind is a mention, not an announcement
_NUMBER = re.compile(r"[0-9]+(?![0-9]*(?: ?(?:-|to) ?[0-9]))")
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
        Which of the label forms it belongs to; see `lager.extract.prompts.generated_labels`.
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
        that stand by themselves, the one behind the first marker that a label follows. Markers are, the surest first,
        ``[RESULT]``, ``[[`` and "final score:"; "score:" or "rating:" where a line, a JSON field or a tag begins; the
        same elsewhere; "a score of". Where none is followed by a label, the last label of the text.

    Returns
    -------
    Score or None
        None where there is no label, and where a marker announces a number that is none.
    """
    found = [n for n, token in enumerate(ids) if token in labels]
    if rule == "marker":
        ends = list(accumulate(map(len, pieces)))
        text = "".join(pieces)
        found = [n for n in found if _stands_alone(text, ends[n] - len(pieces[n]), ends[n])]
        found = _announced(text, {_first_character(text, ends[n] - len(pieces[n])): n for n in found})
    return Score(found[-1], labels[ids[found[-1]]].form) if found else None


def _announced(text: str, labels: Mapping[int, int]) -> list[int]:
    """Return the label that a marker announces, else all of them; none where what is announced is off the scale."""
    off_scale = False
    for kind, marker in enumerate(_MARKERS):
        for match in marker.finditer(text):
            if match.end() in labels:
                return [labels[match.end()]]
            off_scale |= kind < _SURE and _NUMBER.match(text, match.end()) is not None
        if off_scale and kind == _SURE - 1:
            return []
    return list(labels.values())


def _first_character(text: str, start: int) -> int:
    """Return where a token's text begins, behind the spaces that belong to it."""
    return next((n for n in range(start, len(text)) if not text[n].isspace()), start)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether a label is no part of a longer word or number."""
    start = _first_character(text, start)
    before, after = text[max(start - _NEAR, 0) : start], text[end : end + _NEAR]
    return not (_GLUED_BEFORE.search(before) or _GLUED_AFTER.match(after))


def token_pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return what the vocabulary calls tokens, with plain spaces and newlines; exact for ASCII text."""
    names = tokenizer.convert_ids_to_tokens([int(token) for token in ids])
    texts = (name.decode("utf-8", "replace") if isinstance(name, bytes) else name or "" for name in names)
    return [text.translate(_SPACES) for text in texts]

"""Label forms: the tokens a label can be inside generated text, with and without the space before it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..data.errors import LagerError
from ..data.scale import Scale
from .score_position import NO_FORM, LabelToken, token_pieces
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

"""Score tokens: the one token that each label is, found in the context of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.scale import Scale

SEPARATORS = ("", " ")
_TAIL_CHARACTERS = 32
_TAIL_TOKENS = 4
_MOST_KNOWN = 10_000

Tokenize = Callable[[Sequence[str]], list[list[int]]]
TokenIds = Sequence[int] | NDArray[np.int32]


class ScoreTokens(NamedTuple):
    """The score tokens of a scale.

    Attributes
    ----------
    sep : str
        What stands between prompt and label.
    label_ids : tuple of int
        One token per label, in the scale's order.
    prefix_ids : tuple of int
        Tokens that all labels begin with (a word-boundary piece), appended to every prompt.
    """

    sep: str
    label_ids: tuple[int, ...]
    prefix_ids: tuple[int, ...]


class _Resolved(NamedTuple):
    tokens: ScoreTokens
    stripped: bool


@dataclass
class ScoreTokenResolver:
    """Resolves score tokens prompt by prompt, for one separator.

    Tokens at the end of a text depend on what is near, so a result is reused for prompts with the same tail.

    Parameters
    ----------
    tokenize : callable
        From texts to token ids, as prompts are tokenised.
    tokenizer : object
        Names tokens in errors; knows the unknown token.
    scale : Scale
        The labels.
    sep : str
        What stands between prompt and label.
    """

    tokenize: Tokenize
    tokenizer: Any
    scale: Scale
    sep: str
    _known: dict[tuple[str, tuple[int, ...]], _Resolved] = field(default_factory=dict)

    def resolve(self, text: str, ids: TokenIds) -> ScoreTokens:
        """Return the score tokens after one prompt."""
        return self._at(text, ids).tokens

    def prompt_ids(self, text: str, ids: TokenIds) -> TokenIds:
        """Return the ids that are read: the prompt's, ready for a label to follow."""
        found = self._at(text, ids)
        if found.stripped:
            ids = self.tokenize([text.removesuffix(" ")])[0]
        return [*ids, *found.tokens.prefix_ids] if found.tokens.prefix_ids else ids

    def _at(self, text: str, ids: TokenIds) -> _Resolved:
        """Return what holds after a prompt, from the prompts with the same tail where there were any."""
        tail = (text[-_TAIL_CHARACTERS:], tuple(ids[-_TAIL_TOKENS:]))
        found = self._known.get(tail)
        if found is None:
            found = self._find(text, ids)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[tail] = found
        return found

    def _find(self, text: str, ids: TokenIds) -> _Resolved:
        """Return the label's tokens after a prompt, whether or not it has to lose its last space."""
        remainders = self._remainders(text, [int(token) for token in ids])
        stripped = False
        if remainders is None and text.endswith(" "):
            # Many vocabularies join a space to what follows it, so a prompt that ends in one is no prefix.
            text, stripped = text.removesuffix(" "), True
            remainders = self._remainders(text, self.tokenize([text])[0])
        if remainders is None:
            raise LagerError(
                f"after the separator {self.sep!r}, score labels change the prompt's own last tokens: end the prompt "
                "differently, for instance with --answer-prefix 'Score: '"
            )
        n_common = _common(remainders)
        prefix, rests = remainders[0][:n_common], [r[n_common:] for r in remainders]
        unknown = getattr(self.tokenizer, "unk_token_id", None)
        single = [rest[0] for rest in rests if len(rest) == 1 and rest[0] != unknown]
        if len(set(single)) != len(self.scale):
            raise LagerError(
                f"the labels of scale {self.scale} are not one distinct token each after the separator {self.sep!r}: "
                f"{self._listed(rests)}; choose labels that are, such as letters (A=5,B=4,...)"
            )
        return _Resolved(ScoreTokens(self.sep, tuple(single), tuple(prefix)), stripped)

    def _remainders(self, text: str, ids: list[int]) -> list[list[int]] | None:
        """Return what each label adds to the prompt's ids; None when these are no strict prefix."""
        whole = self.tokenize([text + self.sep + label for label in self.scale.labels])
        if any(row[: len(ids)] != ids or len(row) == len(ids) for row in whole):
            return None
        return [row[len(ids) :] for row in whole]

    def _listed(self, rests: Sequence[Sequence[int]]) -> str:
        """Return the tokens of each label, for an error."""
        pieces = [self.tokenizer.convert_ids_to_tokens(list(rest)) for rest in rests]
        return ", ".join(f"{label!r} is {piece}" for label, piece in zip(self.scale.labels, pieces, strict=True))


def _common(rows: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all rows share, leaving at least one to each."""
    most = min(len(row) for row in rows) - 1
    return next((n for n in range(most) if len({row[n] for row in rows}) > 1), most)


def resolve_all(
    resolver: ScoreTokenResolver, item_id: Sequence[str], texts: Sequence[str], ids: Sequence[TokenIds], *,
    expected: ScoreTokens | None = None, example: str = "",
) -> ScoreTokens:  # fmt: skip
    """Return the score tokens that hold after every prompt."""
    first = expected
    for name, text, row in zip(item_id, texts, ids, strict=True):
        try:
            here = resolver.resolve(text, row)
        except LagerError as error:
            raise LagerError(f"item {name!r}: {error}") from None
        if first is None:
            first, example = here, name
        if here != first:
            tokens = resolver.tokenizer.convert_ids_to_tokens
            raise LagerError(
                f"item {name!r}: its score tokens are {tokens([*here.prefix_ids, *here.label_ids])}, those of "
                f"{example!r} are {tokens([*first.prefix_ids, *first.label_ids])}: end all prompts alike, for "
                "instance with --answer-prefix 'Score: '"
            )
    if first is None:
        raise LagerError("there are no prompts to resolve score tokens in")
    return first

"""Special tokens within an item's fields: text like any other, so that no item writes turns of the conversation."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from ...data.errors import LagerError

# Stands behind the first character of every special token of a field while prompts are text, so that it is told from
# those of templates. A noncharacter of Unicode: it belongs to programs themselves and is in no text.
GUARD = "\ufdd0"
_ESCAPED_GUARD = "\\ufdd0"  # what the filter `tojson` of a template makes of it


class SpecialTokens:
    """The special tokens of a tokenizer, and other added ones in brackets that its chat template writes.

    Parameters
    ----------
    tokenizer : object
        A Hugging Face tokenizer.
    chat_template : str
        Text of the chat template, empty where there is none.
    """

    def __init__(self, tokenizer: Any, chat_template: str = "") -> None:
        self._tokenizer, self._chat_template = tokenizer, chat_template

    @cached_property
    def names(self) -> frozenset[str]:
        """Their texts."""
        added = getattr(self._tokenizer, "added_tokens_decoder", {}).values()
        written = (str(one) for one in added if one.special or self._is_marker(str(one)))
        return frozenset(name for name in written if name.strip())

    def _is_marker(self, name: str) -> bool:
        """Return whether a token such as <think>, which need not count as special, is one that the template writes."""
        return name[:1] in ("<", "[") and name[-1:] in (">", "]") and name in self._chat_template

    def found(self, text: str) -> list[str]:
        """Return the special tokens that stand in a text, those with a guard left out."""
        return sorted({name for _, _, name, guarded in self._places(text) if not guarded})

    def guarded(self, text: str) -> list[str]:
        """Return the special tokens that stand in a text with a guard."""
        return sorted({name for _, _, name, guarded in self._places(text) if guarded}) if GUARD in text else []

    def guard(self, value: Any) -> Any:
        """Return a value of an item with a guard in every special token."""
        if isinstance(value, str):
            while self.found(value):  # again where two share a character
                value = self._replaced(value, lambda name, guarded: name[:1] + GUARD + name[1:])
            return value
        if isinstance(value, Mapping):
            return {self.guard(name): self.guard(one) for name, one in value.items()}
        return [self.guard(one) for one in value] if isinstance(value, list | tuple) else value

    def settled(self, text: str) -> str:
        """Return a prompt rendered from values with guards, which stand in special tokens now and nowhere else."""
        text, parts, done = text.replace(_ESCAPED_GUARD, GUARD), list[str](), 0
        for start, end, _, _ in self._places(text):
            parts += [text[done:start].replace(GUARD, ""), text[start:end]]
            done = end
        return "".join([*parts, text[done:].replace(GUARD, "")])

    def _places(self, text: str) -> Iterator[tuple[int, int, str, bool]]:
        """Yield start, end and name of each special token, the longest at a place, and whether it has a guard."""
        at = 0
        while (first := self._first.search(text, at)) is not None:
            start = first.start()
            guarded = text[start + 1 : start + 2] == GUARD
            for length in self._lengths:
                end = start + length + guarded
                name = text[start] + text[start + 1 + guarded : end]
                if name in self.names:
                    yield start, end, name, guarded
                    break
            else:
                end = start + 1
            at = end

    @cached_property
    def _first(self) -> re.Pattern[str]:
        """What finds the first characters of special tokens; where there are none, nothing."""
        characters = "".join(sorted({name[0] for name in self.names}))
        return re.compile(f"[{re.escape(characters)}]" if characters else r"(?!)")

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(name) for name in self.names}, reverse=True)

    def _replaced(self, text: str, replacement: Callable[[str, bool], str]) -> str:
        """Return a text with each special token, given by its name and whether it has a guard, replaced."""
        parts, done = [], 0
        for start, end, name, guarded in self._places(text):
            parts += [text[done:start], replacement(name, guarded)]
            done = end
        return "".join([*parts, text[done:]])

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, in which special tokens with a guard are plain text and others are tokens."""
        plain = self._plain
        tokens = [plain.special.get(name) for _, _, name, guarded in self._places(text) if not guarded]
        marked = self._replaced(text, lambda name, guarded: name if guarded else plain.marked(name))
        encoded = plain.tokenizer.encode(marked, add_special_tokens=False)
        ids = [plain.ids.get(token, token) for token in encoded.ids]
        special = set(plain.special.values())
        if [token for token in ids if token in special] != [token for token in tokens if token is not None]:
            raise LagerError(
                "it holds special tokens which this tokenizer does not read as plain text: take them out of the item, "
                "or give --allow-special-tokens"
            )
        return ids

    def ends(self, text: str) -> list[int]:
        """Return where each token of a field's text ends, special tokens being plain text."""
        return [end for _, end in self._plain.tokenizer.encode(text, add_special_tokens=False).offsets]

    @cached_property
    def _plain(self) -> _Renamed:
        return _Renamed(self._tokenizer, self.names)


class _Renamed:
    """A tokenizer with other names for its special tokens, which no text has: their own names are plain text to it.

    Everything else is the tokenizer's own: how it normalises and splits, and what white space a token takes.

    Attributes
    ----------
    tokenizer : tokenizers.Tokenizer
    ids : dict of int to int
        The tokenizer's own id of each added token that has another one here.
    special : dict of str to int
        The tokenizer's own ids of its special tokens, without the one for what is not in the vocabulary.
    """

    def __init__(self, tokenizer: Any, names: frozenset[str]) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise LagerError(
                "it holds special tokens of the tokenizer, and only one with a tokenizer.json reads them as plain "
                "text: take them out of the item, or give --allow-special-tokens"
            )
        from tokenizers import Tokenizer

        self._mark = f"\ufdd1{secrets.token_hex(8)}\ufdd1"  # not to be guessed by an item
        described = json.loads(tokenizer.backend_tokenizer.to_str())
        described |= {"truncation": None, "padding": None}
        added = [str(one["content"]) for one in described["added_tokens"]]
        renamed = {name: self.marked(name) for name in names}
        for one in described["added_tokens"]:
            one["content"] = renamed.get(one["content"], one["content"])
        _rename(described["model"], renamed)
        self.tokenizer: Any = Tokenizer.from_str(json.dumps(described))
        own, here = tokenizer.backend_tokenizer.token_to_id, self.tokenizer.token_to_id
        self.ids = {here(renamed.get(name, name)): own(name) for name in added}
        self.special = {name: own(name) for name in names if name != getattr(tokenizer, "unk_token", None)}

    def marked(self, name: str) -> str:
        """Return the name of a special token here."""
        return f"{self._mark}{name}{self._mark}"


def _rename(model: dict[str, Any], renamed: Mapping[str, str]) -> None:
    """Rename pieces of a vocabulary in place, and drop the merges that would make them of plain text."""
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {renamed.get(piece, piece): token for piece, token in vocabulary.items()}
    else:
        model["vocab"] = [[renamed.get(piece, piece), score] for piece, score in vocabulary]
    if model.get("unk_token") in renamed:
        model["unk_token"] = renamed[model["unk_token"]]
    if merges := model.get("merges"):
        pairs = (one if isinstance(one, list) else one.split(" ", 1) for one in merges)
        model["merges"] = [[one, two] for one, two in pairs if not {one, two, one + two} & renamed.keys()]

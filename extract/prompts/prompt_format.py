"""Items to token ids: template, system text, chat template, answer prefix, one field cut to a length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.items import Items
from ...data.scale import Scale
from ...data.templates.template import Template
from ..options.groups import PromptOptions
from .chat import Chat, own_template
from .special_tokens import GUARD, SpecialTokens

_PROBE = "a b"
_NOTHING_ASKED = PromptOptions()
_TOKENIZED = 256


@dataclass(frozen=True)
class PromptFormat:
    """How an item becomes a prompt.

    Parameters
    ----------
    tokenizer : object
        A Hugging Face tokenizer.
    scale : Scale
        What templates tell the judge to answer with.
    options : PromptOptions
        The system message, which stands before the prompt with a blank line between where there is no chat template;
        the beginning of the judge's answer; the field that is cut before rendering, to 0 tokens if it is emptied; and
        whether special tokens within an item's fields are tokens: they are text unless that is asked for.
    template : Template or None
        For items that come as fields.
    chat : Chat or None
        The tokenizer's chat template; prompts are plain text without it.
    """

    tokenizer: Any
    scale: Scale
    options: PromptOptions = _NOTHING_ASKED
    template: Template | None = None
    chat: Chat | None = None
    special_prefix: tuple[int, ...] = field(init=False)
    special_tokens: SpecialTokens = field(init=False)

    def __post_init__(self) -> None:
        """Find the special tokens that stand before a prompt, and those that a prompt may hold."""
        prefix = () if self.chat is not None else _special_prefix(self.tokenizer)
        object.__setattr__(self, "special_prefix", prefix)
        written = (own_template(self.tokenizer) or "") + (self.chat.template if self.chat is not None else "")
        object.__setattr__(self, "special_tokens", SpecialTokens(self.tokenizer, written))

    def guards(self, kind: str) -> bool:
        """Return whether special tokens in what an item holds are text; in a prompt that is sent as it is they are not.

        Such a prompt was made by its author as a whole, so nothing tells what in it is data.
        """
        return not self.options.allow_special_tokens and (kind != "prompt" or self.chat is not None)

    def render(self, items: Items) -> list[str]:
        """Return the text of every item's prompt."""
        texts = []
        for item_id, fields in zip(items.item_id, items.fields, strict=True):
            try:
                texts.append(self._render(items.kind, fields))
            except LagerError as error:
                raise LagerError(f"item {item_id!r}: {error}") from None
        return texts

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return token ids, with a BOS only where the tokenizer sets one and no chat template does."""
        plain = [text for text in texts if GUARD not in text]
        ids = iter(self._token_ids(plain))
        rows = [next(ids) if GUARD not in text else self.special_tokens.encode(text) for text in texts]
        prefix = list(self.special_prefix)
        return [row if row[: len(prefix)] == prefix else prefix + row for row in rows]

    def _token_ids(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of texts as the tokenizer reads them."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)[
            "input_ids"
        ]
        return ids

    def token_arrays(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return token ids as arrays; lists take ten times the memory, so there are never many of them at once."""
        parts = (texts[start : start + _TOKENIZED] for start in range(0, len(texts), _TOKENIZED))
        return [prompt_array(row) for part in parts for row in self.tokenize(part)]

    def _render(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Return the text of one prompt, with a guard in every special token that is to be text."""
        if self.options.truncate_field is not None:
            fields = self._truncated(kind, fields, self.options.truncate_field, self.options.max_field_tokens or 0)
        guarded = self.special_tokens.guard(fields) if self.guards(kind) else fields
        text = self._rendered(kind, guarded)
        return text if guarded == fields else self.special_tokens.settled(text)

    def _rendered(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Return what judging template and chat template make of an item."""
        options, ending = self.options, self.options.answer_prefix or ""
        if kind == "messages":
            messages = [dict(message) for message in fields["messages"]]
            if ending and messages[-1]["role"] == "assistant":
                raise LagerError("it ends in the beginning of an answer, and --answer-prefix gives one: leave it out")
        else:
            text = fields["prompt"] if kind == "prompt" else self._from_template(fields)
            messages = [{"role": "user", "content": text}]
        if options.system is not None:
            if messages[0]["role"] == "system":
                raise LagerError("it brings its own system message: leave --system out")
            messages = [{"role": "system", "content": options.system}, *messages]
        if self.chat is not None:
            return self.chat.render(messages) + ending
        if kind == "messages":
            raise LagerError(
                "it comes as messages, but there is no chat template: give prompts as text, or --chat-template FILE"
            )
        return "\n\n".join(message["content"] for message in messages) + ending

    def _from_template(self, fields: Mapping[str, Any]) -> str:
        """Return what the judging template makes of an item's fields."""
        if self.template is None:
            raise LagerError("it comes as fields, and no template was given")
        return self.template.render(fields, scale=self.scale)

    def _truncated(self, kind: str, fields: Mapping[str, Any], name: str, n_tokens: int) -> Mapping[str, Any]:
        """Return the fields with one of them cut."""
        text = fields.get(name)
        if not isinstance(text, str):
            raise LagerError(
                f"--truncate-field {name}: it has no text of that name; its fields are {', '.join(sorted(fields))}"
            )
        special = self.special_tokens if self.guards(kind) and self.special_tokens.found(text) else None
        return {**fields, name: cut_text(self.tokenizer, text, n_tokens, special=special)}


def cut_text(tokenizer: Any, text: str, n_tokens: int, *, special: SpecialTokens | None = None) -> str:
    """Return `text` up to the end of its n-th token, unchanged when it has no more; `special` tokens count as text."""
    if n_tokens == 0:
        return ""
    if not getattr(tokenizer, "is_fast", False):
        raise LagerError("--truncate-field needs a tokenizer that gives offsets (one with a tokenizer.json)")
    if special is not None:
        ends = special.ends(text)
    else:
        settings = {"add_special_tokens": False, "truncation": False, "verbose": False}
        ends = [end for _, end in tokenizer(text, return_offsets_mapping=True, **settings)["offset_mapping"]]
    return text if len(ends) <= n_tokens else text[: ends[n_tokens - 1]]


def prompt_array(ids: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int32]:
    """Return token ids as the array that is hashed and read."""
    return np.asarray(ids, dtype=np.int32)


def _special_prefix(tokenizer: Any) -> tuple[int, ...]:
    """Return the special tokens that the tokenizer puts before a plain text, such as a BOS.

    What it puts after a text (some append an EOS) is left out: a prompt that has ended has no score position.
    """
    plain = tokenizer(_PROBE, add_special_tokens=False)["input_ids"]
    whole = tokenizer(_PROBE)["input_ids"]
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return tuple(whole[:start])
    raise LagerError("the tokenizer changes a text when it adds its special tokens: such a tokenizer cannot be used")

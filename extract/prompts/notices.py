"""What is said of prompts before they are read: special tokens in items, prompts rendered twice, answers begun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import shorten

from ...data.items.lazy_items import ItemSource
from .chat import Chat, own_template
from .prompt_format import PromptFormat
from .special_tokens import GUARD

_SHOWN = 3
_PROBE = "a b"
_AS_TEXT = (
    "hold special tokens in what the items say ({}): they are read as plain text; --allow-special-tokens reads them "
    "as such"
)
_TWICE = (
    "look like conversations that are rendered already ({}) and are put into the chat template once more: "
    "--chat-template none reads them as they are"
)
_WHOLE = (
    "hold special tokens ({}) and are read as they are: what others wrote in such a prompt can end their part of it"
)
_BEGUN = "end in a message of the {}: it is the beginning of the judge's answer, which goes on from there"


def prompt_notices(prompt_format: PromptFormat, items: ItemSource, texts: Sequence[str]) -> list[str]:
    """Return what should be known of the first items, given their prompts: a line each, with how many it is true of."""
    n = len(texts)
    of = f"of {n if n == len(items) else f'the first {n}'} prompts"
    return [
        f"{sum(map(bool, found))} {of} {said.format(_shown(found))}"
        for said, found in _findings(prompt_format, items, texts)
        if any(found)
    ]


def _findings(
    prompt_format: PromptFormat, items: ItemSource, texts: Sequence[str]
) -> Iterable[tuple[str, list[list[str]]]]:
    """Yield what may be said, with what was found in each prompt."""
    special, chat = prompt_format.special_tokens, prompt_format.chat
    if items.kind != "prompt":
        yield _AS_TEXT, [special.guarded(text) for text in texts]
    fields = () if items.kind == "fields" else items.part(range(len(texts))).fields
    if items.kind == "messages":
        last = [one["messages"][-1]["role"] for one in fields if one]
        yield _BEGUN, [[role] if role == "assistant" else [] for role in last]
    if items.kind == "prompt":
        prompts = [one.get("prompt", "") for one in fields]  # a prompt of a cache that is read again has no fields
        if chat is not None:
            start = _opening(prompt_format, chat) if any(prompts) else ""
            yield _TWICE, [special.found(text) or [start] * _begins(text, start) for text in prompts]
        elif own_template(prompt_format.tokenizer) is None:  # else it was left out on purpose
            first = "".join(prompt_format.tokenizer.convert_ids_to_tokens(list(prompt_format.special_prefix)))
            yield _WHOLE, [special.found(text.removeprefix(first)) for text in prompts]


def _opening(prompt_format: PromptFormat, chat: Chat) -> str:
    """Return what the chat template writes before a user's words, without a BOS."""
    start = chat.render([{"role": "user", "content": _PROBE}]).partition(_PROBE)[0]
    return start.removeprefix(str(prompt_format.tokenizer.bos_token or "")).strip()


def _begins(text: str, start: str) -> bool:
    return bool(start) and text.lstrip().startswith(start)


def n_with_plain_special_tokens(texts: Iterable[str]) -> int:
    """Return how many prompts hold special tokens that are read as plain text."""
    return sum(GUARD in text for text in texts)


def _shown(found: Iterable[list[str]]) -> str:
    """Return some of what was found."""
    names = sorted({shorten(name, 40, placeholder="...") for some in found for name in some})
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")

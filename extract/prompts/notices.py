"""What is said of prompts before they are read: special tokens among them, and conversations that are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .prompt_format import PromptFormat
from .special_tokens import GUARD

_SHOWN = 3


def prompt_notices(prompt_format: PromptFormat, kind: str, texts: Sequence[str], *, n_items: int) -> list[str]:
    """Return a line on special tokens in prompts, given the first ones of `n_items`; none where there are none."""
    special, options = prompt_format.special_tokens, prompt_format.options
    if prompt_format.guards(kind):
        found = [special.guarded(text) for text in texts]
        said = "in what the items say ({names}): they are read as plain text; --allow-special-tokens reads them as such"
    elif kind == "prompt" and not options.allow_special_tokens:
        begin = tuple(prompt_format.tokenizer.convert_ids_to_tokens(list(prompt_format.special_prefix)))
        found = [special.found(text.removeprefix("".join(begin))) for text in texts]
        said = "({names}) and are read as they are: what others wrote in such a prompt can end their own part of it"
    else:
        return []
    n_found, n = sum(map(bool, found)), len(texts)
    of = f"{n_found} of {n if n == n_items else f'the first {n}'} prompts hold special tokens"
    return [f"{of} {said.format(names=_shown(found))}"] if n_found else []


def n_with_plain_special_tokens(texts: Iterable[str]) -> int:
    """Return how many prompts hold special tokens that are read as plain text."""
    return sum(GUARD in text for text in texts)


def _shown(found: Iterable[list[str]]) -> str:
    """Return some of the special tokens that were found."""
    names = sorted({name for some in found for name in some})
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")

"""How the prompts that an aggregator was fitted on were read: what new items are read like, unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ...data.errors import LagerError

NONE, GIVEN = "none", "given"


@dataclass(frozen=True)
class PromptSettings:
    """Options of `lager extract` as a cache was made with; None where it does not say.

    Parameters
    ----------
    template : str or None
        Text of the judging template, for items that come as fields.
    system, answer_prefix : str or None
        System message; beginning of the judge's answer.
    chat_args : dict or None
        Arguments of the chat template.
    chat_template : str or None
        What stood for the tokenizer's own chat template: `NONE`, or `GIVEN` for one of a file, which is not kept.
    allow_special_tokens : bool or None
        Whether special tokens within an item's fields are tokens.
    truncate_field : str or None
        Field that is cut to `max_field_tokens`.
    max_field_tokens : int or None
    condition, score_rule : str or None
        When the judge is read, and which label it wrote is the score.
    max_new_tokens : int or None
        Longest generated text.
    separator : str or None
        What stands between prompt and label.
    dtype : str or None
        Of the weights.
    """

    template: str | None = None
    system: str | None = None
    answer_prefix: str | None = None
    chat_args: dict[str, Any] | None = None
    chat_template: str | None = None
    allow_special_tokens: bool | None = None
    truncate_field: str | None = None
    max_field_tokens: int | None = None
    condition: str | None = None
    score_rule: str | None = None
    max_new_tokens: int | None = None
    separator: str | None = None
    dtype: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what is known."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_json(cls, raw: object) -> PromptSettings | None:
        """Read what `as_json` wrote; None for None."""
        if raw is None:
            return None
        kinds = {"chat_args": dict, "max_field_tokens": int, "max_new_tokens": int, "allow_special_tokens": bool}
        known = {field.name for field in fields(cls)}
        if (
            not isinstance(raw, dict)
            or not all(type(value) is kinds.get(name, str) for name, value in raw.items() if name in known)
            or raw.get("chat_template", NONE) not in (NONE, GIVEN)
        ):
            raise LagerError("`reading` does not say how prompts were read")
        return cls(**{name: value for name, value in raw.items() if name in known})


def prompt_settings_of(fingerprint_inputs: Mapping[str, Any]) -> PromptSettings | None:
    """Return how a cache's prompts were read, from what its fingerprint is made of; None where that does not say."""
    prompt = fingerprint_inputs.get("prompt")
    if not isinstance(prompt, Mapping):
        return None
    condition, scale = fingerprint_inputs.get("condition", {}), fingerprint_inputs.get("scale", {})
    return PromptSettings(
        template=prompt.get("template"),
        system=prompt.get("system"),
        answer_prefix=prompt.get("answer_prefix"),
        chat_args=prompt.get("chat_args"),
        chat_template=_chat_template(prompt),
        allow_special_tokens=prompt.get("allow_special_tokens"),
        truncate_field=prompt.get("truncate_field"),
        max_field_tokens=prompt.get("max_field_tokens"),
        condition=condition.get("name"),
        score_rule=condition.get("score_rule"),
        max_new_tokens=condition.get("max_new_tokens"),
        separator=scale.get("separator"),
        dtype=fingerprint_inputs.get("dtype"),
    )


def _chat_template(prompt: Mapping[str, Any]) -> str | None:
    """Return what stood for the tokenizer's own chat template, None where nothing did."""
    if not prompt.get("chat_template_given"):
        return None
    return NONE if prompt.get("chat_template") is None else GIVEN

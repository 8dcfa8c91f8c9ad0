"""Chat templates, rendered without today's date and without a thinking block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...data.errors import LagerError

# Llama 3.1's own default. A prompt with today's date would not be the same prompt tomorrow.
DEFAULT_CHAT_ARGS: Mapping[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
_DATE_FORMAT = "%d %b %Y"
_DIRECTIVES = "aAbBcdfHIjmMpSUwWxXyYZzGuVDeFhnRtT"
_GLIBC_UNPADDED = {"%-d": "{0.day}", "%-m": "{0.month}", "%-H": "{0.hour}", "%-I": "{0.hour}", "%-M": "{0.minute}"}


@dataclass(frozen=True)
class Chat:
    """A tokenizer's chat template with its arguments fixed.

    Parameters
    ----------
    tokenizer : object
        A Hugging Face tokenizer.
    template : str
        Its chat template, as the checkpoint has it.
    args : mapping
        What the template is given beside the messages.
    """

    tokenizer: Any
    template: str
    args: Mapping[str, Any]

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the text of a conversation, up to where the judge's answer begins."""
        import jinja2

        try:
            text: str = self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=pin_date(self.template, str(self.args["date_string"])),
                tokenize=False,
                add_generation_prompt=True,
                **self.args,
            )
        except jinja2.TemplateError as error:
            roles = ", ".join(str(message.get("role")) for message in messages)
            raise LagerError(
                f"the chat template refuses messages of the roles {roles} ({type(error).__name__}): some models take "
                "no system message, or want user and assistant in turns"
            ) from None
        except (TypeError, ValueError) as error:
            # An argument that the tokenizer takes for itself, or one of another kind than the template expects.
            raise LagerError(
                f"the chat template cannot be rendered with the arguments {', '.join(sorted(self.args))} "
                f"({type(error).__name__}): leave out those that are not the template's own"
            ) from None
        return text


def find_chat(tokenizer: Any, chat_args: Mapping[str, Any] | None) -> Chat | None:
    """Return the tokenizer's chat template with `chat_args` over the defaults, None where it has none."""
    if not getattr(tokenizer, "chat_template", None):
        if chat_args:
            raise LagerError("--chat-args was given, but the tokenizer has no chat template: leave it out")
        return None
    args = {**DEFAULT_CHAT_ARGS, **(chat_args or {})}
    _parse_date(str(args["date_string"]))
    return Chat(tokenizer, tokenizer.get_chat_template(), args)


def pin_date(template: str, date: str) -> str:
    """Return a chat template in which ``strftime_now(format)`` gives a fixed day at noon.

    A macro takes the place of the function, because transformers passes no functions to a template. It replaces each
    directive of the format by its value on that day.
    """
    if "strftime_now" not in template:
        return template
    day = _parse_date(date)
    values = {f"%{letter}": day.strftime(f"%{letter}") for letter in _DIRECTIVES}
    values |= {key: text.format(day) for key, text in _GLIBC_UNPADDED.items()}
    replaced = "".join(f"|replace({key!r}, {value!r})" for key, value in values.items() if value != key)
    # The empty expression at the end keeps a newline that opens the template.
    return "{% macro strftime_now(format) %}{{ format" + replaced + " }}{% endmacro %}{{ '' }}" + template


def _parse_date(text: str) -> datetime:
    """Return the day that prompts tell, at noon."""
    try:
        return datetime.strptime(text, _DATE_FORMAT).replace(hour=12)
    except ValueError:
        raise LagerError(f"chat argument date_string {text!r}: expected a date like 26 Jul 2024") from None

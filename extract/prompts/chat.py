"""Chat templates, rendered without today's date and without a thinking block."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.text import read_text
from ...data.templates.process import check_chat_ends

# Llama 3.1's own default. A prompt with today's date would not be the same prompt tomorrow.
DEFAULT_CHAT_ARGS: Mapping[str, Any] = {"enable_thinking": False, "date_string": "26 Jul 2024"}
_DATE_FORMAT = "%d %b %Y"
_DIRECTIVES = "aAbBcdfHIjmMpSUwWxXyYZzGuVDeFhnRtT"
# Words and signs by which a template of one loop may still take long, or write much.
_REPEATS = re.compile(
    r"[*~]|%\s*\(|\d{4}|\b(range|macro|set|call|format|center|indent|recursive|join|replace|repeat)\b"
)
_NONE = "none"
_MAX_BYTES = 1 << 20
_GLIBC_UNPADDED = {"%-d": "{0.day}", "%-m": "{0.month}", "%-H": "{0.hour}", "%-I": "{0.hour}", "%-M": "{0.minute}"}


@dataclass(frozen=True)
class Chat:
    """A tokenizer's chat template with its arguments fixed.

    Parameters
    ----------
    tokenizer : object
        A Hugging Face tokenizer.
    template : str
        Its chat template, as the checkpoint has it, or another one.
    args : mapping
        What the template is given beside the messages.
    """

    tokenizer: Any
    template: str
    args: Mapping[str, Any]
    _tried: set[str] = field(default_factory=set, repr=False, compare=False)

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the text of a conversation, up to where the judge's answer begins or, if it has begun, goes on."""
        if messages[-1]["role"] != "assistant":
            return self._apply(messages, add_generation_prompt=True)
        begun = messages[-1]["content"]
        if not begun.strip():
            return self._apply(messages[:-1], add_generation_prompt=True) + begun
        return self._apply(messages, continue_final_message=True)

    def _apply(self, messages: Sequence[Mapping[str, Any]], **how: bool) -> str:
        """Return what the template makes of messages, or say in one line why nothing."""
        import jinja2

        roles = ", ".join(str(message.get("role")) for message in messages)
        if roles not in self._tried and not is_short(self.template):
            tokens = getattr(self.tokenizer, "special_tokens_map", {})
            check_chat_ends(self.template, {"messages": list(messages), **tokens, **self.args, **how})
        self._tried.add(roles)
        try:
            text: str = self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=pin_date(self.template, str(self.args["date_string"])),
                tokenize=False,
                **how,
                **self.args,
            )
        except jinja2.TemplateSyntaxError as error:
            raise LagerError(f"the chat template is no Jinja template: line {error.lineno}, {error.message}") from None
        except jinja2.TemplateError as error:
            raise LagerError(
                f"the chat template refuses messages of the roles {roles} ({type(error).__name__}): some models take "
                "no system message, or want user and assistant in turns"
            ) from None
        except (
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
            RecursionError,
            MemoryError,
        ) as error:
            raise LagerError(self._failure(roles, type(error).__name__, **how)) from None
        return text

    def _failure(self, roles: str, kind: str, *, continue_final_message: bool = False, **_: bool) -> str:
        """Return the likely cause of an error: arguments where some were given, which the tokenizer may have itself."""
        given = [name for name, value in self.args.items() if DEFAULT_CHAT_ARGS.get(name, self) != value]
        if given:
            return (
                f"the chat template cannot be rendered with the arguments {', '.join(sorted(given))} ({kind}): leave "
                "out those that are not the template's own"
            )
        if continue_final_message and kind == "ValueError":
            return (
                "the chat template changes the last assistant message, so that it cannot be continued: leave the "
                "message out and give --answer-prefix, or another template with --chat-template FILE"
            )
        return (
            f"the chat template fails on messages of the roles {roles} ({kind}): give another one with "
            "--chat-template FILE, or none"
        )


def is_short(template: str) -> bool:
    """Return whether a chat template comes to an end by its form: one loop over what it is given, nothing repeated."""
    return len(re.findall(r"\bfor\b", template)) <= 1 and not _REPEATS.search(template)


def own_template(tokenizer: Any) -> str | None:
    """Return the text of the tokenizer's own chat template, None where it has none."""
    text: str | None = tokenizer.get_chat_template() if getattr(tokenizer, "chat_template", None) else None
    return text


def load_chat_template(name: str | Path | None) -> str | None:
    """Return the text of a chat template in a file, empty for ``none``, and None for None: the tokenizer's own."""
    if name is None or str(name) == _NONE:
        return None if name is None else ""
    path = Path(name)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LagerError(f"chat template {path} is larger than {_MAX_BYTES >> 20} MiB: that is no chat template")
        text = read_text(path)
    except (OSError, UnicodeError) as error:
        raise LagerError(f"cannot read chat template {path}: {error}; give none, or a Jinja file") from None
    if not text.strip():
        raise LagerError(f"chat template {path} is empty: give none to read prompts without one")
    return text


def find_chat(tokenizer: Any, chat_args: Mapping[str, Any] | None, template: str | None = None) -> Chat | None:
    """Return a chat template with `chat_args` over the defaults: the tokenizer's own when None; None for an empty one.

    `template` is a text of `load_chat_template`.
    """
    text = own_template(tokenizer) if template is None else template
    if not text:
        if chat_args:
            why = "the tokenizer has no chat template" if template is None else "--chat-template none leaves it out"
            raise LagerError(f"--chat-args was given, but {why}: leave out the arguments")
        return None
    args = {**DEFAULT_CHAT_ARGS, **(chat_args or {})}
    _parse_date(str(args["date_string"]))
    return Chat(tokenizer, text, args)


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

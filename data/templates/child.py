"""Renders one template for another process, which may stop this one; run as a script, it needs jinja2 alone.

It reads a line of JSON with the template's text and answers with the fields that the text mentions; then, for each
line with the values of an item, it answers with the prompt. What fails is answered as ``failed``, by its kind. The
text of a chat template comes as ``{"chat": TEXT}``.
"""

from __future__ import annotations

import json
import math
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEGABYTES = 1024
WITHOUT_END = "a prompt without end"
_MOST_CHARACTERS = 16 << 20  # of a prompt


def sandbox() -> jinja2.Environment:
    """Return where templates run: they can print their fields and nothing else."""
    return ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=False, finalize=_printed
    )


class NoTextError(jinja2.TemplateError):
    """A template prints what is no text; the message is the kind, such as ``list``."""


def _printed(value: Any) -> Any:
    """Return a value that a template prints, as it is; lists and the like would reach a judge as Python writes them."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_endless = isinstance(value, float) and not math.isfinite(value)
    if value is None or isinstance(value, str | jinja2.Undefined) or (is_number and not is_endless):
        return value
    raise NoTextError(type(value).__name__)


class _Generation(Extension):
    """The tag of chat templates around what the model writes; it changes no text."""

    tags = frozenset({"generation"})  # type: ignore[assignment]  # nothing changes it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def chat_sandbox() -> jinja2.Environment:
    """Return where chat templates do what they do in transformers, as far as time and size go."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    made.filters["tojson"] = json.dumps
    made.globals |= {"raise_exception": _refuse, "strftime_now": str}
    return made


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def mentioned(text: str) -> list[str]:
    """Return the names that a template's text takes from outside."""
    return sorted(meta.find_undeclared_variables(ImmutableSandboxedEnvironment().parse(text)))


def main() -> None:
    """Answer until there is nothing more to read."""
    _limit_memory()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    try:
        text = json.loads(source.readline())
        if isinstance(text, dict):
            template, names = chat_sandbox().from_string(text["chat"]), []
        else:
            template, names = sandbox().from_string(text), mentioned(text)
    except jinja2.TemplateSyntaxError as error:
        _answer(target, {"line": error.lineno, "message": error.message})
        return
    except (MemoryError, RecursionError) as error:
        _answer(target, {"line": 1, "message": type(error).__name__})
        return
    _answer(target, {"variables": names})
    for line in source:
        _answer(target, _rendered(template, json.loads(line)))


def _rendered(template: jinja2.Template, values: dict[str, Any]) -> dict[str, Any]:
    try:
        prompt = template.render(values)
    except NoTextError as error:
        return {"failed": "NoTextError", "message": error.message}
    except Exception as error:  # anything that a template does is its own fault, and told by its kind
        return {"failed": "UndefinedError" if isinstance(error, jinja2.UndefinedError) else type(error).__name__}
    return {"prompt": prompt} if len(prompt) <= _MOST_CHARACTERS else {"failed": WITHOUT_END}


def _answer(target: BinaryIO, answer: dict[str, Any]) -> None:
    target.write(json.dumps(answer).encode() + b"\n")
    target.flush()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20, MEGABYTES << 20))


if __name__ == "__main__":
    main()

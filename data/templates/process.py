"""A template of a stranger in a process of its own: stopped when it does not answer or takes too much memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import LagerError
from ..files.child_process import ChildProcess
from .child import MEGABYTES, WITHOUT_END

_CHILD = Path(__file__).with_name("child.py")
_SECONDS_TO_START, _SECONDS = 60, 5
_ENDLESS = {"MemoryError", WITHOUT_END}
_FREE, _MOST_GAIN = 32 << 20, 16  # characters


class Failed(NamedTuple):
    """What a template did instead of making a prompt.

    Attributes
    ----------
    kind : str
        ``UndefinedError`` when it needs a field that is not there, ``NoTextError`` when it prints what is no text, else
        the name of an error.
    printed : str
        The kind of what is no text.
    """

    kind: str
    printed: str = ""


def check_chat_ends(text: str, values: Mapping[str, Any]) -> None:
    """Raise `LagerError` where a chat template, given these values, takes too long or too much memory.

    It is rendered here to see that alone; whatever else may be wrong with it is told by who renders it in earnest.
    """
    child = ChildProcess(_CHILD)
    try:
        started = child.ask({"chat": text}, seconds=_SECONDS_TO_START)
        answer = child.ask(dict(values), seconds=_SECONDS) if started and "variables" in started else started
    finally:
        child.close()
    if answer is None or _ENDLESS & {answer.get("failed"), answer.get("message")}:
        raise LagerError(
            f"the chat template took more than {_SECONDS:g} s or {MEGABYTES} MiB of memory for one prompt: give "
            "another one with --chat-template FILE, or none"
        )


class TemplateProcess:
    """Renders a template, item by item.

    Parameters
    ----------
    name : str
        What to call it in messages.
    text : str
        Its Jinja source.

    Attributes
    ----------
    variables : frozenset of str
        The names that the text takes from outside.

    Raises
    ------
    LagerError
        When the text is no template, with its line.
    """

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._child = ChildProcess(_CHILD)
        self.close = self._child.close
        answer = self._ask(text, seconds=_SECONDS_TO_START)
        if "variables" not in answer:
            self.close()
            raise LagerError(f"template {name}, line {answer['line']}: {answer['message']}; mend the template")
        self.variables = frozenset(answer["variables"])
        self._left = _FREE
        self._own = len(text)

    def render(self, values: Mapping[str, Any]) -> str | Failed:
        """Return the prompt of one item, or how it failed; a `LagerError` when the template does not come to an end.

        All prompts together may have `_FREE` characters more than `_MOST_GAIN` times the template's and the items'.
        """
        answer = self._ask(dict(values), seconds=_SECONDS)
        if "prompt" not in answer:
            return Failed(answer["failed"], answer.get("message", ""))
        prompt: str = answer["prompt"]
        given = self._own + sum(len(str(value)) for value in values.values())
        self._left = min(_FREE, self._left + _MOST_GAIN * given - len(prompt))
        if self._left < 0:
            raise LagerError(
                f"template {self._name} makes prompts of {len(prompt):,} characters from {given:,}, over and over: "
                "mend it"
            )
        return prompt

    def _ask(self, question: Any, *, seconds: float) -> dict[str, Any]:
        answer = self._child.ask(question, seconds=seconds)
        if answer is None:
            raise LagerError(
                f"template {self._name} took more than {seconds:g} s or {MEGABYTES} MiB of memory for one item: mend it"
            )
        return answer

"""Judging templates: Jinja text that turns an item's fields into a prompt.

The bundled templates put what many prompts share first (instructions, source text, response, criterion), so that an
extractor can compute shared beginnings once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ..errors import LagerError
from ..files.text import read_text
from ..scale import Scale
from .aspects import ASPECTS
from .child import NoTextError, mentioned, sandbox
from .process import Failed, TemplateProcess

REASONING = "-reasoning"
#: For any text under any criterion: the score alone, or feedback first.
GENERAL = ("direct", "reasoning")
#: For one task each, in the same two forms: NAME and NAME-reasoning.
TASKS = ("emotion", "self-knowledge", "pairwise", "aspect")
BUNDLED = (
    *GENERAL,
    *(name + form for name in (*TASKS, *(aspect.replace(" ", "-") for aspect in ASPECTS)) for form in ("", REASONING)),
)
_OPTIONAL = ("instruction", "source", "reference", "criterion", "rubric")
_MAX_BYTES = 1 << 20
_NO_TEXT = {"list": "a list", "dict": "an object", "bool": "true or false"}


@dataclass(frozen=True)
class Template:
    """A judging template.

    Fields of the item are variables of their own name. ``scale.labels``, ``scale.lowest`` and ``scale.highest`` name
    the score labels. The fields `instruction`, `source`, `reference`, `criterion` and `rubric` are empty where an item
    has none; any other field that the text uses must be there. Only text and finite numbers can be printed: of lists,
    objects, true and false the text makes what it needs.

    Parameters
    ----------
    name : str
        What to call it in messages.
    text : str
        The Jinja source. It runs in a sandbox: a template from a stranger can print its fields and nothing else. One
        that is not bundled runs in a process of its own too, which is stopped when it takes too long or too much
        memory.
    """

    name: str
    text: str

    @cached_property
    def _compiled(self) -> jinja2.Template:
        return sandbox().from_string(self.text)

    @cached_property
    def _is_ours(self) -> bool:
        return any(self.text == _bundled(name) for name in BUNDLED)

    @cached_property
    def _process(self) -> TemplateProcess:
        if len(self.text) > _MAX_BYTES:
            raise LagerError(f"template {self.name} is larger than {_MAX_BYTES >> 20} MiB: that is no judging template")
        return TemplateProcess(self.name, self.text)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields: a process or compiled code goes to no other process."""
        return {"name": self.name, "text": self.text}

    @cached_property
    def variables(self) -> frozenset[str]:
        """The fields that the text mentions."""
        return frozenset(mentioned(self.text) if self._is_ours else self._process.variables) - {"scale"}

    def render(self, fields: Mapping[str, Any], *, scale: Scale) -> str:
        """Return the prompt of one item."""
        values = {**dict.fromkeys(_OPTIONAL, ""), **{key: value for key, value in fields.items() if value is not None}}
        order = sorted(range(len(scale)), key=scale.values.__getitem__)
        values["scale"] = {
            "labels": list(scale.labels),
            "lowest": scale.labels[order[0]],
            "highest": scale.labels[order[-1]],
        }
        prompt = self._render_ours(values) if self._is_ours else self._process.render(values)
        if isinstance(prompt, str):
            return prompt
        if prompt.kind == "UndefinedError":
            missing = sorted(self.variables - set(values)) or ["(an attribute of a field)"]
            raise LagerError(
                f"template {self.name} needs {', '.join(missing)}, which the item lacks: it has "
                f"{', '.join(sorted(fields)) or 'no fields'}; rename the columns or choose another template"
            )
        if prompt.kind == "NoTextError":
            raise LagerError(self._prints_no_text(prompt.printed, values))
        # The error's own text may quote a field, so only its kind is told.
        raise LagerError(f"template {self.name} failed on an item with {prompt.kind}: mend it")

    def _prints_no_text(self, kind: str, values: Mapping[str, Any]) -> str:
        """Return what is said of a value that would reach the judge as Python writes it."""
        fields = [name for name in sorted(self.variables & set(values)) if type(values[name]).__name__ == kind]
        return (
            f"template {self.name} prints {_NO_TEXT.get(kind, f'a value of the kind {kind}')} "
            f"({', '.join(fields) or 'in a field, or made by the template'}), expected text or a finite number: give "
            "text, or a template that makes text of it, as {{ FIELD | join(' ') }} does of a list"
        )

    def _render_ours(self, values: Mapping[str, Any]) -> str | Failed:
        try:
            return self._compiled.render(values)
        except NoTextError as error:
            return Failed("NoTextError", error.message or "")
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            return Failed("UndefinedError" if isinstance(error, jinja2.UndefinedError) else type(error).__name__)


def load_template(name: str | Path) -> Template:
    """Return a bundled template by name, or read one from a file."""
    if str(name) in BUNDLED:
        return Template(str(name), _bundled(str(name)))
    path = Path(name)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LagerError(f"template {path} is larger than {_MAX_BYTES >> 20} MiB: that is no judging template")
        template = Template(path.name, read_text(path))
    except FileNotFoundError:
        raise LagerError(f"no template {str(name)!r}: give one of {', '.join(BUNDLED)}, or a Jinja file") from None
    except (OSError, UnicodeError) as error:
        raise LagerError(f"cannot read template {path}: {error}") from None
    template.variables  # noqa: B018  (a broken template is told before anything else runs)
    return template


def _bundled(name: str) -> str:
    """Return the text of a bundled template: as it lies there, or a task's and the form of its answer."""
    if name in GENERAL:
        return _read(f"{name}.jinja")
    task = name.removesuffix(REASONING)
    answer = _read("answers/reasoning.jinja" if name.endswith(REASONING) else "answers/score.jinja")
    if task in TASKS:
        return _read(f"{task}.jinja") + answer
    aspect = task.replace("-", " ")
    fixed = f'{{% set criterion = "{aspect}" %}}{{% set rubric = "{ASPECTS[aspect]}" %}}'
    return fixed + _read("aspect.jinja") + answer


def _read(path: str) -> str:
    return files(__package__).joinpath(path).read_text("utf-8")

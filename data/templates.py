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
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .aspects import ASPECTS
from .errors import LagerError
from .scale import Scale

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


@dataclass(frozen=True)
class Template:
    """A judging template.

    Fields of the item are variables of their own name. ``scale.labels``, ``scale.lowest`` and ``scale.highest`` name
    the score labels. The fields `instruction`, `source`, `reference`, `criterion` and `rubric` are empty where an item
    has none; any other field that the text uses must be there.

    Parameters
    ----------
    name : str
        What to call it in messages.
    text : str
        The Jinja source. It runs in a sandbox: a template from a stranger can print its fields and nothing else.
    """

    name: str
    text: str

    @cached_property
    def _compiled(self) -> jinja2.Template:
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
        try:
            return environment.from_string(self.text)
        except jinja2.TemplateSyntaxError as error:
            raise LagerError(f"template {self.name}, line {error.lineno}: {error.message}; mend the template") from None

    @cached_property
    def variables(self) -> frozenset[str]:
        """The fields that the text mentions."""
        self._compiled  # noqa: B018  (a syntax error is reported with its line)
        syntax = ImmutableSandboxedEnvironment().parse(self.text)
        return frozenset(meta.find_undeclared_variables(syntax)) - {"scale"}

    def render(self, fields: Mapping[str, Any], *, scale: Scale) -> str:
        """Return the prompt of one item.

        Raises
        ------
        LagerError
            When the text needs a field that the item does not have, or does what the sandbox forbids.
        """
        values = {**dict.fromkeys(_OPTIONAL, ""), **{key: value for key, value in fields.items() if value is not None}}
        order = sorted(range(len(scale)), key=scale.values.__getitem__)
        values["scale"] = {
            "labels": list(scale.labels),
            "lowest": scale.labels[order[0]],
            "highest": scale.labels[order[-1]],
        }
        try:
            return self._compiled.render(values)
        except jinja2.UndefinedError:
            missing = sorted(self.variables - set(values)) or ["(an attribute of a field)"]
            raise LagerError(
                f"template {self.name} needs {', '.join(missing)}, which the item lacks: it has "
                f"{', '.join(sorted(fields)) or 'no fields'}; rename the columns or choose another template"
            ) from None
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
            # The error's own text may quote a field, so only its kind is told.
            raise LagerError(f"template {self.name} failed on an item with {type(error).__name__}: mend it") from None


def load_template(name: str | Path) -> Template:
    """Return a bundled template by name, or read one from a file.

    Raises
    ------
    LagerError
        When it is neither, or not readable text.
    """
    if str(name) in BUNDLED:
        return Template(str(name), _bundled(str(name)))
    path = Path(name)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LagerError(f"template {path} is larger than {_MAX_BYTES >> 20} MiB: that is no judging template")
        template = Template(path.name, path.read_text("utf-8"))
    except FileNotFoundError:
        raise LagerError(f"no template {str(name)!r}: give one of {', '.join(BUNDLED)}, or a Jinja file") from None
    except (OSError, UnicodeDecodeError) as error:
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
    return files(__package__).joinpath("templates", path).read_text("utf-8")

"""Commands that take groups of options: Typer sees every option of a group, the command gets the group."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import is_dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from .option import Option, make, options_of


def with_options(
    *, only: Collection[str] | None = None, without: Collection[str] = (), defaults: Mapping[str, str] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator of commands, whose keywords of a group's type stand for the options of the group."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        annotations: dict[str, Any] = {name: one.annotation for name, one in signature.parameters.items()}
        groups: dict[str, Any] = {name: kind for name, kind in annotations.items() if is_dataclass(kind)}
        offered = {
            name: [one for one in options_of(group).values() if one.name in (only or {one.name} - set(without))]
            for name, group in groups.items()
        }

        @wraps(command)
        def run(*arguments: Any, **given: Any) -> None:
            made: dict[str, Any] = {
                name: make(groups[name], dict(_values(options, given))) for name, options in offered.items()
            }
            command(*arguments, **given, **made)

        parameters: list[inspect.Parameter] = []
        for name, parameter in signature.parameters.items():
            options = offered.get(name)
            parameters += [parameter] if options is None else [_parameter(one, defaults or {}) for one in options]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def _values(options: Collection[Option], given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Take a group's options out of what the command line gave, and yield those that have a value."""
    for one in options:
        value = given.pop(one.name)
        if value is not None:
            yield one.name, value if one.parse is None else one.parse(value)


def _parameter(one: Option, defaults: Mapping[str, str]) -> inspect.Parameter:
    """Return the parameter by which Typer knows an option."""
    default = None if one.parse else one.default
    shown = defaults.get(one.name, one.shown) or default is not None
    said = typer.Option(one.flags, help=one.text, min=one.least, show_default=shown, rich_help_panel=one.title)
    kind: Any = one.kind if default is not None else one.kind | None
    annotation = Annotated[kind, said]
    return inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

"""What an option is: a field of a frozen dataclass, with what the command line says of it.

A dataclass of options is a group. Groups may hold groups; a group's options are those of all groups in it, and no two
have the same name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

Group = TypeVar("Group")


@dataclass(frozen=True)
class Option:
    """One option.

    Parameters
    ----------
    name : str
        As in Python.
    default : object
        Its value where it is left out.
    title : str
        Of its group: the first line of what that says of itself.
    text : str
        What help says of it.
    kind : type
        Of its value on the command line.
    shown : str or None
        What help says of the default, where that is no value of its own.
    parse : callable or None
        Reads the text of the command line, where the value has another type.
    least : int or None
        Smallest value.
    flag : str or None
        Its name on the command line, where that is another one.
    """

    name: str
    default: Any
    title: str
    text: str
    kind: type
    shown: str | None
    parse: Callable[[str], Any] | None
    least: int | None
    flag: str | None

    @property
    def flags(self) -> str:
        """The name on the command line; two with a slash between for a switch that is on by itself."""
        return self.flag or f"--{self.name.replace('_', '-')}"


def option(
    text: str, *, default: Any = None, kind: type | None = None, shown: str | None = None,
    parse: Callable[[str], Any] | None = None, least: int | None = None, flag: str | None = None,
) -> Any:  # fmt: skip
    """Return a field of a group; `kind` is the default's own, or text, where it is not given. See `Option`."""
    kind = kind or (str if parse or default is None else type(default))
    said = {"text": text, "kind": kind, "shown": shown, "parse": parse, "least": least, "flag": flag}
    return field(default=default, metadata=said)


def options_of(group: type) -> dict[str, Option]:
    """Return the options of a group by name."""
    found: dict[str, Option] = {}
    title = (group.__doc__ or "").partition("\n")[0].rstrip(".")
    for one in fields(group):
        if is_dataclass(one.default):
            found |= options_of(type(one.default))
        else:
            found[one.name] = Option(one.name, one.default, title, **one.metadata)
    return found


def make(group: type[Group], values: Mapping[str, Any]) -> Group:
    """Return a group with these values of its options, and defaults for the others.

    Raises `TypeError` when there is no such option; it lists those that there are.
    """
    known = options_of(group)
    if unknown := sorted(set(values) - set(known)):
        raise TypeError(f"there is no option {', '.join(unknown)}: expected some of {', '.join(known)}")
    given: dict[str, Any] = {}
    for one in fields(group):  # type: ignore[arg-type]
        if is_dataclass(one.default):
            inner: Any = type(one.default)
            given[one.name] = make(inner, {name: values[name] for name in options_of(inner) if name in values})
        elif one.name in values:
            given[one.name] = values[one.name]
    return group(**given)


def values_of(group: object) -> dict[str, Any]:
    """Return the values of a group's options by name."""
    found: dict[str, Any] = {}
    for one in fields(group):  # type: ignore[arg-type]
        value = getattr(group, one.name)
        found |= values_of(value) if is_dataclass(one.default) else {one.name: value}
    return found


def as_json(group: object) -> dict[str, Any]:
    """Return the values of a group's options in JSON types; `make` takes them back."""
    return json.loads(json.dumps(values_of(group), default=_plain))


def _plain(value: object) -> object:
    """Return a value that JSON does not have as one that it has: paths and scales are texts."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def given_flags(*groups: object) -> list[str]:
    """Return the options, as the command line calls them, that have another value than their default."""
    found: list[str] = []
    for group in groups:
        known = options_of(type(group))
        changed = (known[name] for name, value in values_of(group).items() if value != known[name].default)
        found += [one.flags.rpartition("/")[2] for one in changed]  # the second name of a switch turns it off
    return found

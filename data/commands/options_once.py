"""Options that have one value are given once: of two values the first would be dropped without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

_Command = TypeVar("_Command", bound=Callable[..., Any])


class OptionsOnceCommand(TyperCommand):
    """A command that refuses an option given again, unless it is a list or a switch that has no opposite."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Count the options as they stand on the command line, then read them as any command does."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(list(args))
            for one, count in Counter[Any](order).items():
                if count > 1 and one.param_type_name == "option" and not _may_repeat(one):
                    raise typer.BadParameter(f"it is given {count} times: give it once", ctx=ctx, param=one)
        return super().parse_args(ctx, args)


class App(typer.Typer):
    """Commands, each of which takes its options once."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_Command], _Command]:
        """Return a decorator as Typer's own."""
        return super().command(name, **{"cls": OptionsOnceCommand, **settings})


def _may_repeat(option: Any) -> bool:
    return bool(option.multiple or option.count or (option.is_flag and not option.secondary_opts))

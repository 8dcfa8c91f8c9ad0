"""The command `lager`: one subcommand a stage, and `lager demo` for all three in a row."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from .data.commands.cache import app as cache_app
from .data.commands.options_once import App
from .data.errors import LagerError, from_system
from .data.files.out_folder import UNFINISHED, filling
from .data.progress import to_stderr
from .data.streams import safe_streams
from .evaluate.alt_test.command import alt_test
from .evaluate.check.command import check
from .evaluate.command import evaluate
from .evaluate.compare.command import compare
from .evaluate.estimate.command import estimate
from .evaluate.pairs.command import pairs
from .evaluate.plan.command import plan
from .evaluate.score.calibrate_command import calibrate
from .evaluate.score.command import score
from .evaluate.select.command import select
from .evaluate.sensitivity.command import sensitivity
from .evaluate.sweep.command import sweep
from .evaluate.triage.command import triage
from .extract.command import extract
from .extract.verify_command import verify
from .train.command import train

app = App(
    name="lager",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Score text with an open LLM judge, read at every layer, so that its scores agree with humans.",
)
_DEMO_FILES = ("judge", "train.jsonl", "test.jsonl")
_DEMO_NAMES = (*_DEMO_FILES, "cache", "aggregator.json", "results")


def _show_version(value: bool) -> None:
    """Print the version and leave, where it is asked for."""
    if value:
        from . import __version__

        print(f"lager {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that every subcommand shares."""


def demo(
    *,
    out: Annotated[Path | None, typer.Option(help="New folder for everything; lager-demo when left out.")] = None,
) -> None:
    """Extract, train and evaluate on the bundled tiny judge and data, offline.

    Example: lager demo --out demo
    """
    folder = _demo_folder(out)
    with filling(folder, _DEMO_NAMES):
        _copy_demo_files(folder)
        for name in ("train", "test"):
            to_stderr(f"\n=> reading {name}.jsonl with the judge, every layer of it")
            main_or_raise(["extract", f"{folder}/judge", f"{folder}/{name}.jsonl", "--cache", f"{folder}/cache/{name}"])
        to_stderr("\n=> learning the weights of the layers")
        main_or_raise(["train", f"{folder}/cache/train", "--out", f"{folder}/aggregator.json"])
        to_stderr("\n=> comparing every strategy with the human scores of the held-out items")
        main_or_raise(
            ["evaluate", f"{folder}/cache/test", "--train", f"{folder}/cache/train", "--out", f"{folder}/results"]
        )
        print(f"\nEverything is in {folder.resolve()}:")
        print("  judge, train.jsonl, test.jsonl   the judge and the items")
        print("  cache/train, cache/test          what the judge said at every layer")
        print("  aggregator.json                  the weights of the layers")
        print("  results                          tables, figures and report.html")


def _demo_folder(out: Path | None) -> Path:
    """Return the folder that the demo may fill: the one asked for, or the first free default."""
    if out is None:
        names = (Path("lager-demo" if n == 1 else f"lager-demo-{n}") for n in range(1, 1000))
        return next(path for path in names if not path.exists())
    if out.is_dir() and any(out.iterdir()) and not (out / UNFINISHED).exists():
        raise LagerError(f"{out} exists already: choose another folder for --out, or remove it first")
    return out


def _copy_demo_files(folder: Path) -> None:
    """Copy the demo's judge and items, from wherever the package is installed."""
    with ExitStack() as stack:
        for name in _DEMO_FILES:
            source = stack.enter_context(as_file(files("lager.data").joinpath("demo", name)))
            if source.is_dir():
                shutil.copytree(source, folder / name)
            else:
                shutil.copy(source, folder / name)


# In the order of the work, as the help shows them.
_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Start": {"demo": demo},
    "Read": {"extract": extract},
    "Learn and compare": {
        "train": train, "evaluate": evaluate, "sweep": sweep, "compare": compare, "pairs": pairs,
        "sensitivity": sensitivity,
    },
    "Score": {"score": score, "calibrate": calibrate, "select": select},
    "Decide": {"estimate": estimate, "alt-test": alt_test, "triage": triage, "plan": plan, "check": check},
}  # fmt: skip
for _panel, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)
cache_app.command("verify")(verify)
app.add_typer(cache_app, name="cache", rich_help_panel="Read")


def main_or_raise(arguments: Sequence[str]) -> None:
    """Run one command; a user's error comes out as `LagerError`."""
    app(list(arguments), standalone_mode=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with 0, 1 (the user can mend it; one line says how) or 2 (usage)."""
    with safe_streams():
        try:
            try:
                app(None if arguments is None else list(arguments), prog_name="lager")
            finally:
                sys.stdout.flush()  # here a disk that is full is told; at the interpreter's end it would be a traceback
        except (LagerError, OSError) as error:
            line = from_system(error) if isinstance(error, OSError) else error
            print(f"error: {line}", file=sys.stderr)
            sys.exit(1)

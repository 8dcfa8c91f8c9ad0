"""The command `lager cache status`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import table_console
from ..safe_text import printable

if TYPE_CHECKING:
    from ..run.run_status import RunStatus

_LISTED = 20


def status(
    cache: Annotated[Path, typer.Argument(help="The cache's folder.")],
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again until the run is complete.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --watch a line a look.")] = False,
) -> None:
    """Say how far an extraction is, over all its workers: shards, speed, time left, failures.

    Example: lager cache status cache/summeval --watch
    """
    from ..run.run_status import run_status

    if not watch:
        now = run_status(cache)
        if as_json:
            print(json.dumps(now.as_json(), indent=2))
        else:
            table_console().print(_shown(cache, now))
        return
    if as_json or not sys.stdout.isatty():
        while not (now := run_status(cache)).complete:
            print(json.dumps(now.as_json()) if as_json else summary(now), flush=True)
            time.sleep(every)
        print(json.dumps(now.as_json()) if as_json else summary(now), flush=True)
        return
    from rich.live import Live

    with Live(console=table_console(), auto_refresh=False) as live:
        while True:
            now = run_status(cache)
            live.update(_shown(cache, now), refresh=True)
            if now.complete:
                return
            time.sleep(every)


def summary(now: RunStatus) -> str:
    """Return one line."""
    if now.complete:
        return f"complete: {now.shards} shards, {now.items} items"
    parts = [f"{now.shards_done}/{now.shards} shards done", f"{len(now.running)} running", f"{len(now.failed)} failed"]
    parts += [f"{now.items_per_second:.1f} items/s", _left(now)]
    return ", ".join(parts)


def _left(now: RunStatus) -> str:
    if now.seconds_left is None:
        return "time left unknown"
    minutes, seconds = divmod(round(now.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} left"


def _shown(cache: Path, now: RunStatus) -> Any:
    """Return the bar, a line for each worker, and what failed."""
    from rich import box
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    shown: list[Any] = [Text(str(cache)), ProgressBar(total=now.items, completed=now.items_done, width=60)]
    shown.append(Text(summary(now)))
    if now.workers:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("rank", "host", "state", "shard", "shards", "items", "items/s"):
            table.add_column(title, justify="left" if title in {"host", "state"} else "right")
        for worker in now.workers[:_LISTED]:
            one = worker.record
            ended = one.state in {"finished", "stopped"}
            cells = [one.rank, one.host, one.state if worker.alive or ended else "lost"]
            cells += ["-" if one.shard is None else one.shard, one.shards_done, one.items_done]
            table.add_row(*(Text(printable(str(cell))) for cell in cells), Text(f"{worker.items_per_second:.1f}"))
        shown.append(table)
        if len(now.workers) > _LISTED:
            shown.append(Text(f"and {len(now.workers) - _LISTED} more workers; --json lists all"))
    for failure in now.failed[:_LISTED]:
        shown.append(Text(f"shard {failure.shard} failed: {printable(failure.reason)}"))
    if len(now.failed) > _LISTED:
        shown.append(Text(f"and {len(now.failed) - _LISTED} more failures; --json lists all"))
    return Group(*shown)

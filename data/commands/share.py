"""`lager cache push`, `pull`, `ls` and `gc`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import LagerError
from ..remote.transfer import DEFAULT_JOBS

if TYPE_CHECKING:
    from ..remote.store_cleaning import StoredCache

_MIB = 1 << 20
_Jobs = Annotated[int, typer.Option(help="Files at once.")]


def push(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="The cache, complete.", show_default=False)],
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="A folder, s3://, gs:// or hf://datasets/OWNER/NAME.", show_default=False),
    ],
    *,
    include: Annotated[str, typer.Option(help="What else goes: text, hidden, scores; with commas.")] = "",
    public: Annotated[bool, typer.Option("--public", help="Let everyone read it (hf:// and s3://).")] = False,
    jobs: _Jobs = DEFAULT_JOBS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Share a cache: without texts, hidden states and single annotators' scores, and private, unless you say so.

    Interrupted, it goes on where it stopped. The manifest goes last: what has none is no cache yet.

    Example: lager cache push cache/flask s3://lab/caches/flask

    Example: lager cache push cache/flask hf://datasets/lab/flask-cache --include scores,hidden --public
    """
    from ..remote.push import push as send

    done = send(
        cache, url, include=[part.strip() for part in include.split(",") if part.strip()], public=public, jobs=jobs
    )
    if as_json:
        print(json.dumps(done._asdict()))
        return
    print(f"{done.url}: {done.sent} files sent ({done.bytes / _MIB:.2f} MiB), {done.kept} were there")
    print(f"  left out   {', '.join(done.left_out) or 'nothing'}")
    print(f"  readers    {done.readers}")


def pull(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the cache lies.", show_default=False)],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the copy, new.", show_default=False)],
    *,
    jobs: _Jobs = DEFAULT_JOBS,
) -> None:
    """Fetch a shared cache; all of it is checked before the folder appears. Interrupted, it goes on where it stopped.

    Example: lager cache pull https://example.org/caches/flask cache/flask
    """
    from ..remote.pull import pull as fetch

    print(f"{fetch(url, folder, jobs=jobs)} is complete and sound")


def ls(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="A folder of caches; the store when left out.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the caches that were opened by URL and are kept on this machine, or those of a folder.

    Example: lager cache ls cache
    """
    from ..files.location import only_folder
    from ..machine import home
    from ..remote.store_cleaning import caches_below, stored_caches

    place = home() if folder is None else only_folder(folder)
    caches = stored_caches() if folder is None else caches_below(place)
    if as_json:
        rows = [{**one._asdict(), "path": str(one.path), "age": round(one.age)} for one in caches]
        print(json.dumps({"store": str(place), "caches": rows}, indent=2))
        return
    if not caches and folder is not None:
        print(f"{place} holds no complete cache, up to three folders deep")
        return
    if not caches:
        print(f"the store {place} is empty; FeatureCache.open(URL), or any command given a URL, fills it")
        return
    _print_table(caches, named=folder is not None)
    print(f"{len(caches)} caches, {sum(one.bytes for one in caches) / _MIB:.1f} MiB in {place}")


def gc(
    *,
    older_than: Annotated[str | None, typer.Option(help="Remove what was not used for so long, such as 30d.")] = None,
    max_size: Annotated[
        str | None, typer.Option(help="Then remove the longest unused until so much is left, such as 50GB.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Free the store by age or size; what a process has open stays.

    Example: lager cache gc --older-than 30d --max-size 50GB --dry-run
    """
    from ..machine import parse_size
    from ..remote.store_cleaning import age_in_words, clean_store, parse_age

    if older_than is None and max_size is None:
        raise LagerError("nothing says what may go: give --older-than 30d, --max-size 50GB, or both")
    done = clean_store(
        older_than=None if older_than is None else parse_age(older_than),
        max_size=None if max_size is None else parse_size(max_size),
        dry_run=dry_run,
    )
    if as_json:
        shown = {"removed": [one.key for one in done.removed], "in_use": [one.key for one in done.in_use]}
        print(
            json.dumps(
                {**shown, "bytes": sum(one.bytes for one in done.removed), "left": done.left, "dry_run": dry_run}
            )
        )
        return
    for one in done.removed:
        verb = "would remove" if dry_run else "removed"
        print(f"{verb} {one.key}: {one.bytes / _MIB:.1f} MiB, last used {age_in_words(one.age)} ago")
    for one in done.in_use:
        print(f"kept {one.key}: a process has it open")
    print(f"{done.left / _MIB:.1f} MiB {'would be ' if dry_run else ''}left")


def _print_table(caches: list[StoredCache], *, named: bool) -> None:
    """Print a line for each cache: by its fingerprint in the store, by its name in a folder."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..remote.store_cleaning import age_in_words
    from ..safe_text import printable

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    first, last = ("cache", "written") if named else ("fingerprint", "last used")
    for title in (first, "model", "items", "layers", "MiB", last, *(() if named else ("from",))):
        table.add_column(title, justify="right" if title in {"items", "layers", "MiB"} else "left", overflow="fold")
    for one in caches:
        about = one.about
        cells = [
            one.key if named else one.key[:12],
            about.get("model") or "damaged",
            about.get("items", "-"),
            about.get("layers", "-"),
        ]
        cells += [f"{one.bytes / _MIB:.1f}", f"{age_in_words(one.age)} ago", *(() if named else (" ".join(one.urls),))]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(markup=False, highlight=False).print(table)

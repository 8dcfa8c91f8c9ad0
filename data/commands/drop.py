"""`lager cache drop` and `lager cache rm`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..safe_text import printable

if TYPE_CHECKING:
    from ..remote.store_cleaning import Cleaning


def drop(
    cache: Annotated[Path, typer.Argument(metavar="CACHE", help="The cache, complete.", show_default=False)],
    *,
    one_id: Annotated[list[str] | None, typer.Option("--id", help="Id of an item; may be repeated.")] = None,
    ids: Annotated[
        Path | None, typer.Option(help="File of ids: a table with a column id, or a .txt with one a line.")
    ] = None,
    cluster: Annotated[list[str] | None, typer.Option(help="All items of a cluster; may be repeated.")] = None,
    remote: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A pushed copy to rewrite as well; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete items for good: read-outs, texts, scores, what lies in earlier/, and copies in this machine's store.

    Score files, aggregators and results that were made with them are not touched.

    Example: lager cache drop cache/summeval --id q17 --id q18 --remote s3://lab/caches/summeval
    """
    from ..remote.store_cleaning import forget_rows
    from ..tools.drop import drop_items

    wanted = {*(one_id or []), *(_read_ids(ids) if ids else [])}
    done = drop_items(cache, ids=wanted, clusters=set(cluster or []))
    cleaning = forget_rows(done.cache.fingerprint, done.rows)
    rewritten = [_rewrite(cache, url) for url in remote or []]
    shared = sorted({url for one in (*cleaning.removed, *cleaning.in_use) for url in one.urls} - {*(remote or [])})
    if as_json:
        print(
            json.dumps({
                "items": done.n_items, "earlier": done.n_earlier, "left": done.cache.n_items,
                "content_hash": done.cache.content_hash, "kept_files": done.kept_files,
                "store_removed": [one.key for one in cleaning.removed],
                "store_in_use": [one.key for one in cleaning.in_use], "shared": shared, "rewritten": rewritten,
            })
        )  # fmt: skip
        return
    print(f"dropped {done.n_items} items, {done.cache.n_items} are left in {cache}")
    if done.n_earlier:
        print(f"  and {done.n_earlier} rows of its folder earlier")
    _print_copies(cleaning, shared)
    for one in rewritten:
        print(f"  {one['url']}: rewritten" + (f"; {one['remains']}" if one["remains"] else ""))
    if done.kept_files:
        print(f"  not looked into, as they are no files of a cache: {printable(', '.join(done.kept_files))}")


def rm(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the cache was pushed.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete a cache that was pushed to a folder or URL.

    Example: lager cache rm s3://lab/caches/flask
    """
    from ..remote.removal import remove_cache

    done = remove_cache(url)
    if as_json:
        print(json.dumps(done._asdict()))
        return
    print(f"{done.url}: removed, {done.n_files} files and the manifest")
    if done.remains:
        print(f"  {done.remains}")


def _read_ids(path: Path) -> list[str]:
    """Return the ids that a file names."""
    from ..errors import LagerError
    from ..items.small_files import parse_id, read_rows, readable

    if path.suffix.lower() != ".txt":
        rows = read_rows(path, what="file of ids")
        if "id" not in rows[0]:
            raise LagerError(f"file of ids {path} has no column id; it has {', '.join(map(repr, rows[0]))}")
        return [parse_id(row["id"], row=n, path=path) for n, row in enumerate(rows, 1)]
    with readable(path, what="file of ids"):
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not names:
        raise LagerError(f"file of ids {path} is empty")
    return names


def _rewrite(cache: Path, url: str) -> dict[str, Any]:
    """Remove a shared copy and push the cache there anew, with as much as the copy had."""
    from ..remote.derived_copy import INCLUDABLE
    from ..remote.push import push
    from ..remote.removal import remove_cache

    removed = remove_cache(url)
    push(cache, url, include=sorted({*INCLUDABLE} - {*removed.left_out}))
    return {"url": removed.url, "remains": removed.remains}


def _print_copies(cleaning: Cleaning, shared: list[str]) -> None:
    for one in cleaning.removed:
        print(f"  and the copy {one.key} of this machine's store")
    for one in cleaning.in_use:
        print(f"  the copy {one.key} of this machine's store is open in a process and stays: run `lager cache gc` then")
    for url in shared:
        print(f"  still shared with them at {printable(url)}: --remote {printable(url)} rewrites it")

"""``benchmark:NAME=PATH#PART``: from the name to items."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import LagerError
from ..items.items import Items
from ..items.small_files import check_unique
from .registry import BENCHMARKS
from .rows import Benchmark, side_by_side, to_table
from .source import SourceFile, find_files


class Spec(NamedTuple):
    """A benchmark by name, where its files are (None: to be fetched), and which part of it is meant."""

    name: str
    path: Path | None
    part: str | None


def parse_spec(text: str) -> Spec:
    """Read ``NAME``, ``NAME=PATH``, and either with ``#PART`` behind it."""
    named, equals, path_text = text.partition("=")
    # A path that exists as it stands may have a # of its own.
    whole = bool(path_text) and Path(path_text).exists()
    rest, hash_sign, part = (text, "", "") if whole else text.rpartition("#")
    if not hash_sign:
        rest, part = text, ""
    named, equals, path_text = rest.partition("=")
    if named not in BENCHMARKS or (equals and not path_text):
        raise LagerError(
            f"benchmark {text!r}: expected benchmark:NAME=PATH with NAME one of {', '.join(BENCHMARKS)}, for example "
            "benchmark:summeval=summeval.jsonl"
        )
    return Spec(named, Path(path_text) if path_text else None, _check_part(named, part if hash_sign else None))


def _check_part(name: str, part: str | None) -> str | None:
    known = BENCHMARKS[name]
    if part is None:
        return next(iter(known.parts), None)
    if part in known.parts or (known.open_parts and part):
        return part
    choices = ", ".join(f"#{one} ({meaning})" for one, meaning in known.parts.items()) or "it has none"
    raise LagerError(f"benchmark {name} has no part {part!r}: {choices}")


def load_benchmark(spec: str) -> Items:
    """Read ``NAME=PATH#PART``; without a path the published files are fetched.

    Items that share a source text, and within it a response, follow each other.
    """
    name, path, part = parse_spec(spec)
    benchmark = BENCHMARKS[name]
    files = _fetched(name, benchmark) if path is None else find_files(path, benchmark.files, benchmark=name)
    parsed = benchmark.read(files, part)
    rows = side_by_side(parsed.rows)
    check_unique([row.item_id for row in rows], path=files[0].path)
    source = {"benchmark": name, "file": files[0].path.name, "licence": benchmark.licence}
    if part is not None:
        source["part"] = part
    if path is None:
        source["file"] = benchmark.urls[0][1]
    return Items(
        tuple(row.item_id for row in rows),
        tuple(row.fields for row in rows),
        "fields",
        to_table(rows),
        scale=parsed.scale,
        source=source,
        template=parsed.template,
    )


def _fetched(name: str, benchmark: Benchmark) -> list[SourceFile]:
    if not benchmark.urls:
        raise LagerError(f"benchmark {name} is not fetched: give its file, benchmark:{name}=PATH")
    from .source import fetch

    return [fetch(url, name=file_name, benchmark=name) for file_name, url in benchmark.urls]

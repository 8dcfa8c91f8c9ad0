"""What a benchmark adapter returns: rows with fields, scores and the columns that agreement is computed by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import polars as pl

from ..items.items import TABLE_SCHEMA
from ..items.raters import RATED_BY, RATED_BY_TYPE
from ..scale import Scale
from .source import SourceFile

_NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


class Row(NamedTuple):
    """One judging item.

    Attributes
    ----------
    item_id : str
        Unique in the benchmark.
    fields : dict
        The template's fields.
    scores : list of float
        Every annotator's score, or their mean alone where only that is published; empty where there is none.
    group, cluster, system : str or None
        The criterion or category, the source text that items share, and what wrote the text.
    columns : mapping of str to str
        Further columns of the source that agreement may be computed by.
    rated_by : list of str or None
        Who gave each score, where the source says it of all its rows.
    """

    item_id: str
    fields: dict[str, Any]
    scores: list[float]
    group: str | None = None
    cluster: str | None = None
    system: str | None = None
    columns: Mapping[str, str] = _NO_COLUMNS
    rated_by: list[str] | None = None


class Parsed(NamedTuple):
    """What an adapter read: rows, the scale of their scores, and the bundled template they are judged with."""

    rows: list[Row]
    scale: Scale
    template: str | None = None


Reader = Callable[[Sequence[SourceFile], str | None], Parsed]


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark is found and read.

    Parameters
    ----------
    read : callable
        From the files and the part to the rows.
    licence : str
        For the provenance.
    files : tuple of str
        What to look for in a folder, as patterns; the first with a match is taken, with all its matches.
    urls : tuple of (str, str)
        Name and address of each published file; none where the data has to be given.
    parts : mapping of str to str
        What may stand behind ``#`` and what it means; the first is the default.
    open_parts : bool
        Whether other parts are names that only the data knows.
    """

    read: Reader
    licence: str
    files: tuple[str, ...]
    urls: tuple[tuple[str, str], ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    open_parts: bool = False


def one_cluster_a_text(rows: Sequence[Row], *, fields: Sequence[str]) -> list[Row]:
    """Join the clusters of rows that share a source text, which is these fields of theirs.

    Published files give one text several ids: a question that two models answered, an article in two files. As several
    clusters it would leak across folds and make intervals too narrow. Joined clusters are called as the first of them.
    """
    names = [row.item_id if row.cluster is None else row.cluster for row in rows]
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    joined_to = {name: name for name in names}
    first: dict[tuple[str, ...], str] = {}
    for row, name in zip(rows, names, strict=True):
        text = tuple(row.fields.get(field, "").strip() for field in fields)
        ends = (_end(joined_to, name), _end(joined_to, first.setdefault(text, name)))
        joined_to[max(ends, key=place.__getitem__)] = min(ends, key=place.__getitem__)
    clusters = [_end(joined_to, name) for name in names]
    size = Counter(clusters)
    return [
        row if row.cluster is None and size[cluster] == 1 else row._replace(cluster=cluster)
        for row, cluster in zip(rows, clusters, strict=True)
    ]


def _end(joined_to: Mapping[str, str], name: str) -> str:
    """Return the cluster that a cluster was joined to in the end."""
    while joined_to[name] != name:
        name = joined_to[name]
    return name


def side_by_side(rows: Iterable[Row]) -> list[Row]:
    """Bring rows together that share a source text and, within it, a response, in the order of their first ones.

    Prompts that begin alike then stand in one shard, where what they share is computed once.
    """
    seen: dict[tuple[Any, ...], int] = {}

    def place(key: tuple[Any, ...]) -> int:
        return seen.setdefault(key, len(seen))

    keyed = []
    for number, row in enumerate(rows):
        cluster: Any = number if row.cluster is None else row.cluster
        text = (place((cluster,)), place((cluster, row.fields.get("response"))))
        keyed.append((text, number, row))
    return [row for _, _, row in sorted(keyed, key=lambda one: one[:2])]


def to_table(rows: Sequence[Row]) -> pl.DataFrame:
    """Return the item table: the five columns of every benchmark and those of this one's rows."""
    extra = list(dict.fromkeys(name for row in rows for name in row.columns))
    data: dict[str, list[Any]] = {name: [] for name in (*TABLE_SCHEMA, *extra)}
    for row in rows:
        for name in ("item_id", "scores", "group", "cluster", "system"):
            data[name].append(getattr(row, name))
        for name in extra:
            data[name].append(row.columns.get(name))
    table = pl.DataFrame(data, schema=TABLE_SCHEMA | dict.fromkeys(extra, pl.String))
    if all(row.rated_by is None for row in rows):
        return table
    return table.with_columns(pl.Series(RATED_BY, [row.rated_by for row in rows], dtype=RATED_BY_TYPE))

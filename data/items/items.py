"""Items: what is judged, with its human scores and the columns that agreement is computed by."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl

from ..errors import LagerError
from ..files.canonical import canonical_json
from ..scale import Scale
from .joined_label import joined_label
from .raters import RATED_BY, RATED_BY_TYPE, check_rater_columns, rated_rows
from .small_files import parse_id
from .values import label_text, plain_messages, plain_value, prompt_text

Kind = Literal["fields", "prompt", "messages"]
TABLE_SCHEMA: dict[str, Any] = {
    "item_id": pl.String,
    "scores": pl.List(pl.Float64),
    "group": pl.String,
    "cluster": pl.String,
    "system": pl.String,
}
#: Types of further columns of the item table; all others are text.
OWN_TYPES: dict[str, Any] = {RATED_BY: RATED_BY_TYPE}
_NO_RATERS = ("id", "prompt", "messages")
#: What tells pairs; they name no group where all three are kept, since a group would be one pair.
PAIR_COLUMNS = ("pair", "side", "preferred")
_ROLES = ("messages", "prompt")
#: The fields that the bundled templates put into prompts.
TEMPLATE_FIELDS = frozenset(
    ("instruction", "source", "response", "reference", "criterion", "rubric", "question", "emotion", "first", "second")
)


class ItemIds(NamedTuple):
    """The ids of a run, as its record has them.

    Attributes
    ----------
    n : int
        How many there are.
    sha256 : str
        Hash of the canonical JSON of their list, in input order.
    """

    n: int
    sha256: str


def hash_ids(blocks: Iterable[Sequence[str]]) -> ItemIds:
    """Return number and hash of ids that come in blocks."""
    n, digest = 0, hashlib.sha256(b"[")
    for ids in blocks:
        if ids:
            digest.update((b"," if n else b"") + canonical_json(list(ids))[1:-1].encode())
            n += len(ids)
    digest.update(b"]")
    return ItemIds(n, digest.hexdigest())


@dataclass(frozen=True)
class Items:
    """Judging items in input order.

    Parameters
    ----------
    item_id : tuple of str
        Unique ids.
    fields : tuple of dict
        The template's fields of each item, or ``{"prompt": str}``, or ``{"messages": list}``.
    kind : {"fields", "prompt", "messages"}
        Which of the three.
    table : polars.DataFrame
        item_id; scores, a list of float with one number per annotator, empty where unlabelled; group, cluster and
        system, strings or null; the columns that make up the group when there are several; and `rated_by`, the name of
        each annotator in `scores`, where names or places are known.
    scale : Scale or None
        The scale of the source's own human scores, where the source fixes one.
    source : dict
        Where the items come from, for the provenance.
    template : str or None
        The bundled template that suits the source, where it needs one of its own; ``-reasoning`` behind it is the form
        for judges that write first.
    """

    item_id: tuple[str, ...]
    fields: tuple[dict[str, Any], ...]
    kind: Kind
    table: pl.DataFrame
    scale: Scale | None = None
    source: dict[str, Any] = field(default_factory=dict)
    template: str | None = None

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.item_id)

    @property
    def ids(self) -> ItemIds:
        """How many ids there are, and their hash."""
        return hash_ids([self.item_id])

    def part(self, rows: range) -> Items:
        """Return consecutive items."""
        span = slice(rows.start, rows.stop)
        return replace(self, item_id=self.item_id[span], fields=self.fields[span], table=self.table[span])

    def take(self, rows: Sequence[int]) -> Items:
        """Return the items at `rows`, in that order."""
        return replace(
            self,
            item_id=tuple(self.item_id[i] for i in rows),
            fields=tuple(self.fields[i] for i in rows),
            table=self.table[list(rows)],
        )

    def on_scale(self, scale: Scale, *, human_range: tuple[float, float] | None = None) -> Items:
        """Return the items with human scores on `scale`."""
        mapping = ScoreMapping.onto(scale, human_range)
        flat = self.table["scores"].explode(empty_as_null=False).drop_nulls()
        if len(outside := flat.filter(mapping.outside(flat))):
            raise mapping.error(len(outside), len(flat), first=outside[0])
        return replace(self, table=mapping.apply(self.table))


class ScoreMapping(NamedTuple):
    """Where human scores may lie, and how they go onto the judge's scale: ``(score - low) * factor + start``.

    Attributes
    ----------
    low, high : float
        The range of the human scores.
    factor, start : float
        1 and `low` where the scores are on the scale as they are.
    """

    low: float
    high: float
    factor: float
    start: float

    @classmethod
    def onto(cls, scale: Scale, human_range: tuple[float, float] | None) -> ScoreMapping:
        """Return the mapping of scores in `human_range`, those on the scale itself when None."""
        low, high = human_range or (scale.low, scale.high)
        if not low < high:
            raise LagerError(f"human range {low:g}-{high:g}: expected LOW below HIGH")
        if human_range is None:
            return cls(low, high, 1.0, low)
        return cls(low, high, (scale.high - scale.low) / (high - low), scale.low)

    def outside(self, scores: pl.Series) -> pl.Series:
        """Return which scores lie outside the range."""
        return (scores < self.low - 1e-9) | (scores > self.high + 1e-9)

    def error(self, n_outside: int, n_scores: int, *, first: float) -> LagerError:
        """Return what to tell of scores outside the range."""
        return LagerError(
            f"{n_outside} of {n_scores} human scores lie outside {self.low:g}-{self.high:g} (the first is {first:g}): "
            "give the range they were made on as --human-range LO-HI, or another --scale"
        )

    def apply(self, table: pl.DataFrame) -> pl.DataFrame:
        """Return an item table with the scores mapped."""
        if (self.factor, self.start) == (1.0, self.low):
            return table
        mapped = pl.col("scores").list.eval((pl.element() - self.low) * self.factor + self.start)
        return table.with_columns(mapped)


@dataclass(frozen=True)
class RowForm:
    """How the rows of a file become items.

    Parameters
    ----------
    path : Path
        The file, for errors and the record.
    kind : {"fields", "prompt", "messages"}
        What the rows hold.
    group, cluster : tuple of str
        Columns that name an item's group, and its shared source text.
    raters : tuple of str
        Columns of single raters' scores, which reach no prompt; the scores are in ``score`` when there are none.
    places : bool
        Whether a list of scores has blanks anywhere in the file, so that places are kept.
    """

    path: Path
    kind: Kind
    group: tuple[str, ...]
    cluster: tuple[str, ...]
    raters: tuple[str, ...] = ()
    places: bool = False

    @classmethod
    def of(
        cls, columns: Sequence[str], group: Sequence[str], cluster: str | None, *, path: Path,
        raters: Sequence[str] = (),
    ) -> RowForm:  # fmt: skip
        """Return the form of a file with these columns."""
        check_rater_columns(raters, columns, path=path)
        if both := [name for name in raters if name in {*group, cluster, *_NO_RATERS}]:
            raise LagerError(f"--raters {', '.join(both)}: the column is something else of the items")
        if len(group) > 1 and RATED_BY in group:
            raise LagerError(f"--group {RATED_BY}: the item table calls the raters so; rename the column")
        for name in (*group, *([cluster] if cluster else [])):
            if name not in columns:
                raise LagerError(f"{path} has no column {name!r}: it has {', '.join(columns)}")
        kind = _kind(columns)
        if besides := _besides(columns, kind, named={*group, cluster}):
            raise LagerError(
                f"{path} has {kind} and {', '.join(besides)}: {kind} is read as it is, and the others would not reach "
                f"the judge. Remove or rename them if {kind} holds all of the item; or rename {kind}, to instruction "
                "for instance, and a template puts the fields together"
            )
        return cls(path, kind, tuple(group) or ("group",), (cluster or "cluster",), tuple(raters))

    def items(self, rows: Sequence[dict[str, Any]], *, start: int = 0) -> Items:
        """Return rows as items; `start` is the number of rows before them."""
        table, fields = self.columns(rows, start=start)
        own = {name: OWN_TYPES.get(name, pl.String) for name in table if name not in TABLE_SCHEMA}
        schema = TABLE_SCHEMA | own
        ids, source = tuple(table["item_id"]), {"file": self.path.name}
        return Items(ids, fields, self.kind, pl.DataFrame(table, schema=schema), source=source)

    def columns(
        self, rows: Sequence[dict[str, Any]], *, start: int = 0
    ) -> tuple[dict[str, list[Any]], tuple[dict[str, Any], ...]]:
        """Return the columns of the item table and the items' fields, each checked."""
        numbered, path = list(enumerate(rows, start=start + 1)), self.path
        places = [f"{path}, row {n}" for n, _ in numbered]

        def joined(columns: tuple[str, ...]) -> list[str | None]:
            return [_joined(row, columns, where) for row, where in zip(rows, places, strict=True)]

        rated = rated_rows(rows, self.raters, path=path, start=start, places=self.places)
        table: dict[str, list[Any]] = {
            "item_id": [parse_id(row["id"], row=n, path=path) if "id" in row else str(n - 1) for n, row in numbered],
            "scores": rated.scores,
            "group": joined(self._grouping()),
            "cluster": joined(self.cluster),
            "system": joined(("system",)),
        }
        extra = [name for name in self.group if name not in TABLE_SCHEMA] if len(self.group) > 1 else []
        for name in extra:
            table[name] = joined((name,))
        if rated.rated_by is not None:
            table[RATED_BY] = list(rated.rated_by)
        left_out = {"id", "score", *self.raters}
        fields = (
            item_fields(row, self.kind, where=at, left_out=left_out) for row, at in zip(rows, places, strict=True)
        )
        return table, tuple(fields)

    def _grouping(self) -> tuple[str, ...]:
        """Return the columns that name an item's group: of those to keep, the ones that do not tell pairs."""
        is_pairs = set(PAIR_COLUMNS) <= set(self.group)
        return tuple(name for name in self.group if not (is_pairs and name in PAIR_COLUMNS))


def _kind(columns: Sequence[str]) -> Kind:
    for role in _ROLES:
        if role in columns:
            return role  # type: ignore[return-value]
    return "fields"


def _besides(columns: Sequence[str], kind: Kind, *, named: Collection[str | None]) -> list[str]:
    """Return what an item could be read from beside its prompt or messages; columns named for groups are not."""
    if kind == "fields":
        return []
    others = TEMPLATE_FIELDS.union(_ROLES) - {kind}
    return [name for name in columns if name.strip().casefold() in others and name not in named]


def item_fields(
    row: Mapping[str, Any], kind: Kind, *, where: str, left_out: Collection[str] = ("id", "score")
) -> dict[str, Any]:
    """Return what the judge is told of one item: its fields without missing ones, its prompt, or its messages."""
    if kind == "prompt":
        return {kind: prompt_text(row.get(kind), what=f"{where}: {kind}")}
    if kind == "messages":
        return {kind: plain_messages(row.get(kind), what=f"{where}: {kind}")}
    plain = {name: plain_value(value, what=f"{where}: {name}") for name, value in row.items() if name not in left_out}
    return {name: value for name, value in plain.items() if value is not None}


def _joined(row: dict[str, Any], columns: tuple[str, ...], where: str) -> str | None:
    """Return the names in some columns as one, None where all are missing."""
    if all(row.get(name) is None for name in columns):  # most often, and at once
        return None
    names = [label_text(row.get(name), what=f"{where}: {name}") for name in columns]
    if len(names) == 1 or all(name is None for name in names):
        return names[0] if names else None
    return joined_label(names)

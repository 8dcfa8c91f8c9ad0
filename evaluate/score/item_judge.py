"""`lager.Judge`: a model and an aggregator, called with what is to be judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import polars as pl

from ...data.errors import LagerError
from ...data.items.item_table import object_column
from ...data.items.items import TABLE_SCHEMA, Items, Kind, item_fields
from ...data.items.values import each_value, label_text
from ...data.progress import silent, to_stderr
from ...data.scale import Scale
from ...extract.options.groups import ReadOptions
from ...extract.options.option import make
from ...train.aggregator.aggregator import Aggregator
from ...train.aggregator.learnt_groups import Ungrouped, without_learnt_group
from ...train.files.aggregator_file import AggregatorRecord, load_aggregator
from .open_model import open_live, reading_note
from .score_cache import levels_of, ungrouped_note
from .score_items import PART
from .scored_rows import DECISION, PROBABILITY, interval_names, scored_rows

if TYPE_CHECKING:
    from ...train.estimators.base import ReadoutEstimator


@dataclass(frozen=True)
class Score:
    """What a judge says of one item; ``float(score)`` is the number.

    Parameters
    ----------
    score : float or None
        On the judge's scale; None where there is none.
    distribution : dict of str to float, or None
        Probability of each label, what the score is read from; None for strategies without one.
    entropy : float or None
        Of the distribution, in nats.
    score_mass : float or None
        The model's own probability of answering with a label; None where its last layer was not run.
    valid : bool
        Whether there is a score.
    reason : str
        Why not, empty where there is.
    intervals : dict of float to (float, float), or None
        For each level the aggregator was calibrated at, between which numbers the human score lies with that
        probability; None without a calibration, a score, or a group that the aggregator needs and knows.
    decision : {"judge", "human"} or None
        Who decides, by what `lager triage` stored in the aggregator; None where it stored nothing.
    """

    score: float | None
    distribution: dict[str, float] | None
    entropy: float | None
    score_mass: float | None
    valid: bool
    reason: str
    intervals: dict[float, tuple[float, float]] | None = None
    decision: str | None = None

    def __float__(self) -> float:
        """Return the score.

        Raises
        ------
        LagerError
            When there is none: no number stands for a missing score.
        """
        if self.score is None:
            raise LagerError(f"the item has no score: {self.reason}; look at `valid` and `reason` before")
        return self.score


class ItemJudge:
    """Scores items with a frozen LM and a fitted aggregator; public as `lager.Judge`.

    Parameters
    ----------
    model : str or Path
        Local folder or hub id. Of an aggregator that looks at the first layers only, only these are loaded and run.
    aggregator : str, Path, AggregatorRecord, Aggregator or fitted estimator
        A file of `lager train`, or the fitted thing itself.
    template : str or Path, optional
        Bundled template or Jinja file, for items that come as fields; as in the aggregator's training when None.
    force : bool
        Apply an aggregator of other read-outs anyway.
    quiet : bool
        Print nothing on stderr.
    **options
        The other options of `lager.extract_features` on prompts and loading (`system`, `answer_prefix`, `chat_args`,
        `scale`, `condition`, `dtype`, `device`, `attn`, `quantize`, `batch_tokens`, ...): those of prompts are as in
        training where they are not given.

    Attributes
    ----------
    scale : Scale
        What scores lie on.
    notes : list of str
        What the user should know, one line each.

    Raises
    ------
    LagerError
        When the model or the aggregator cannot be loaded, or do not belong together.

    Examples
    --------
    >>> judge = lager.Judge("meta-llama/Llama-3.1-8B-Instruct", "aggregator.json")  # doctest: +SKIP
    >>> float(judge.score(instruction="Name a prime.", response="7"))  # doctest: +SKIP
    4.31
    """

    def __init__(
        self,
        model: str | Path,
        aggregator: str | Path | AggregatorRecord | Aggregator | ReadoutEstimator,
        *,
        template: str | Path | None = None,
        force: bool = False,
        quiet: bool = False,
        **options: Any,
    ) -> None:
        self._record = _record(aggregator)
        how, say = make(ReadOptions, {"template": template, **options}), silent if quiet else to_stderr
        self._reader, self.notes = open_live(model, self._record, how, say=say, force=force)
        self.scale: Scale = self._reader.prompt_format.scale
        self._quiet = quiet
        self._read_before = self._told_ungrouped = False
        self._tell(self.notes)

    @overload
    def score(self, **fields: str | float) -> Score: ...

    @overload
    def score(self, **fields: Any) -> Score | list[Score]: ...

    def score(self, **fields: Any) -> Score | list[Score]:
        """Score one item, or many at once.

        Parameters
        ----------
        **fields : str or number, or a list, array, series, column or generator of them
            The template's fields, such as ``instruction=..., response=...``; or ``prompt=...``; or ``messages=...``, a
            list of messages or a list of such lists. Where any has several values, that many items are scored, in
            batches, and
            fields with one value are the same for all. None and NaN are missing values. ``group=...`` names the items'
            groups, for an aggregator that learnt by group; a template that mentions `group` gets it too.

        Returns
        -------
        Score or list of Score
            One, or one for each item, in order.

        Raises
        ------
        LagerError
            When fields are missing, are neither text nor finite numbers, or lists differ in length.
        """
        rows, single = _rows(fields)
        scores = self.score_items(rows)
        return scores[0] if single else scores

    def score_items(self, items: Iterable[Mapping[str, Any]] | pl.DataFrame) -> list[Score]:
        """Score items, one mapping of fields each or a frame of polars or pandas; `group` names an item's group."""
        items = _mappings(items)
        if not items:
            return []
        kind = _kind(items)
        from ...extract.prompts.inputs import unused_columns

        out, ungrouped = list[Score](), Ungrouped()
        for start in range(0, len(items), PART):
            part = [dict(item) for item in items[start : start + PART]]
            some = _items(part, kind, first=start)
            data = self._reader.read(some)
            calibration, rule = self._record.calibration_for(self.scale), self._record.triage_for(self.scale)
            aggregator, group = self._record.aggregator, object_column(some.table, "group")
            rows = scored_rows(aggregator, data, scale=self.scale, group=group, calibration=calibration, triage=rule)
            without = without_learnt_group(aggregator, self.scale, group, len(data)) & data.valid
            ungrouped = ungrouped.plus(without, group)
            levels = levels_of(self._record, self.scale)
            out += [_score(row, self.scale, levels) for row in rows.iter_rows(named=True)]
        late: list[str] = []
        if not self._read_before:
            self._read_before = True
            late += unused_columns(self._reader.prompt_format.template, some)
            late += reading_note(self._record, self._reader)
        if ungrouped.n and not self._told_ungrouped:
            self._told_ungrouped = True
            late += ungrouped_note(self._record, self.scale, ungrouped, remedy="give group=...")
        self.notes += late
        self._tell(late)
        return out

    def _tell(self, lines: Sequence[str]) -> None:
        """Show notes as they come."""
        for line in () if self._quiet else lines:
            to_stderr(f"note: {line}")


def _record(aggregator: Any) -> AggregatorRecord:
    """Return an aggregator in any of its forms with what is known of its training."""
    if isinstance(aggregator, AggregatorRecord):
        return aggregator
    if isinstance(aggregator, str | Path):
        return load_aggregator(aggregator)
    found = aggregator if isinstance(aggregator, Aggregator) else getattr(aggregator, "aggregator_", None)
    if not isinstance(found, Aggregator):
        raise LagerError(
            f"aggregator is a {type(aggregator).__name__}: expected a file of lager train, or a fitted estimator"
        )
    return AggregatorRecord(found)


def _rows(fields: Mapping[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Return one mapping an item, and whether a single item was given."""
    if not fields:
        raise LagerError("there is nothing to score: give the template's fields, as in instruction=..., response=...")
    lists = {name: values for name, value in fields.items() if (values := _many(name, value)) is not None}
    if not lists:
        return [dict(fields)], True
    lengths = {name: len(value) for name, value in lists.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise LagerError(f"the lists differ in length ({told}): give as many of each")
    n = next(iter(lengths.values()))
    return [{name: lists[name][i] if name in lists else fields[name] for name in fields} for i in range(n)], False


def _many(name: str, value: Any) -> list[Any] | None:
    """Return a field's value for each of several items, None where it has one value; a conversation is one."""
    values = each_value(value, what=name)
    is_conversation = name == "messages" and values is not None and all(isinstance(one, Mapping) for one in values)
    return None if is_conversation else values


def _mappings(items: Any) -> list[Mapping[str, Any]]:
    """Return the rows of a frame, or what an iterable gives, once all are mappings with names that are text."""
    if isinstance(items, pl.DataFrame):
        return list(items.iter_rows(named=True))
    if hasattr(items, "to_dict") and hasattr(items, "columns"):  # of pandas, which is not imported for it
        items = items.to_dict("records")
    expected = "expected a list of mappings, each with an item's fields, or a frame of polars or pandas"
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise LagerError(f"items is a {type(items).__name__}: {expected}")
    rows = list(items)
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
            what = "a mapping with names that are no text" if isinstance(row, Mapping) else f"a {type(row).__name__}"
            raise LagerError(f"item {number} is {what}: {expected}")
    return rows


def _kind(items: Sequence[Mapping[str, Any]]) -> Kind:
    """Return how items come, as the first one says."""
    for kind in ("messages", "prompt"):
        if kind in items[0]:
            return kind
    return "fields"


def _items(rows: Sequence[dict[str, Any]], kind: Kind, *, first: int) -> Items:
    """Return items under numbers, without labels."""
    ids = [str(first + n) for n in range(len(rows))]
    if kind != "fields" and (bad := [i for i, row in zip(ids, rows, strict=True) if set(row) - {"group"} != {kind}]):
        raise LagerError(
            f"item {bad[0]!r}: expected {kind} alone, or with group, as in the first item; fields beside it reach no "
            "judge"
        )
    groups = [label_text(row.get("group"), what=f"item {i!r}: group") for i, row in zip(ids, rows, strict=True)]
    known = pl.DataFrame({"item_id": ids, "group": groups}, schema_overrides={"group": pl.String})
    table = known.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in TABLE_SCHEMA.items() if name not in known.columns
    )
    fields = tuple(item_fields(row, kind, where=f"item {i!r}") for i, row in zip(ids, rows, strict=True))
    return Items(tuple(ids), fields, kind, table)


def _score(row: Mapping[str, Any], scale: Scale, levels: Sequence[float]) -> Score:
    """Return a row of a file of scores as an object."""
    proba = {label: row[f"{PROBABILITY}{label}"] for label in scale.labels}
    known = all(value is not None for value in proba.values())
    ends = zip(levels, interval_names(levels), strict=True) if row["valid"] and levels else ()
    return Score(
        row["score"], proba if known else None, row["entropy"], row["score_mass"], bool(row["valid"]), row["reason"],
        {level: (row[low], row[high]) for level, (low, high) in ends if row[low] is not None} or None,
        row.get(DECISION),
    )  # fmt: skip

"""Are scores of the records that have their ids: ids may be the row numbers of another file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.items.items import TEMPLATE_FIELDS
from ...data.items.same_items import PROMPT

_TEXTS = TEMPLATE_FIELDS | {"prompt", "messages", "output", "input", "text"}
_LABELS = {PROMPT, "group", "cluster"}
_SHOWN = 40


def check_same_records(
    rows: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    records: Mapping[str, Mapping[str, Any]],
    *,
    scores: Path,
    items: Path,
    average: bool = False,
) -> bool:
    """Return whether both files say more than ids; `LagerError` where texts, prompts' hashes or labels differ.

    With `average` the ids are RECORD/CRITERION: a criterion's prompt and group are not the record's.
    """
    names = _TEXTS if average else _TEXTS | _LABELS
    compared = False
    for name in sorted(names & {name for row in rows for name in row}):
        both = [
            (i, theirs, own)
            for i, row in zip(ids, rows, strict=True)
            if (theirs := _text(row.get(name))) and (own := _text(_record(records, i, average).get(name)))
        ]
        differs = [one for one in both if one[1] != one[2]]
        # Of a file made with another tokenizer or template no hash agrees, and hashes tell nothing.
        compared |= bool(both) and (name != PROMPT or len(differs) < len(both))
        if differs and (name != PROMPT or len(differs) < len(both)):
            item, theirs, own = differs[0]
            raise LagerError(
                f"{scores}: {len(differs)} of {len(rows)} scores are of other records than those of {items} with their "
                f"ids: {item!r} has {name} {theirs[:_SHOWN]!r} there and {own[:_SHOWN]!r} here; give the file that the "
                f"scores were made from, or leave a column {name} that means something else out"
            )
    return compared


def number_note(ids: Sequence[str], scores: Path, items: Path) -> list[str]:
    """Return a note where ids are row numbers, and nothing else says that the scores are of these records."""
    if not all(i.partition("/")[0].isdecimal() for i in ids):
        return []
    return [f"joined by row numbers; nothing in {scores.name} says that its scores are of the records of {items.name}"]


def _record(records: Mapping[str, Mapping[str, Any]], item_id: str, average: bool) -> Mapping[str, Any]:
    return records.get(item_id.rpartition("/")[0] if average else item_id, {})


def _text(value: Any) -> str:
    """Return a value as text that files of all kinds have alike, empty for a missing one."""
    return "" if value is None else " ".join(str(value).split())

"""Scores of new items straight from a model, part by part, without a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.cache.same_readouts import listed_names, unlike
from ...data.errors import LagerError
from ...data.files.canonical import canonical_json, sha256_file, sha256_json
from ...data.items.item_table import object_column
from ...data.items.lazy_items import ItemSource, blocks
from ...data.open_items import open_items
from ...data.progress import Progress, Say
from ...train.files.aggregator_file import load_aggregator
from .journal import ScoreJournal, check_output
from .kept_columns import check_kept, kept_values
from .open_model import open_live, reading_note, scale_of
from .score_cache import Scored, Tally, columns_of

if TYPE_CHECKING:
    from ...data.items.items import Items
    from ...extract.options.groups import ReadOptions
    from ...extract.run.live_reader import LiveReader

#: Items that are planned, read and written together.
PART = 512


def score_items(
    model: str | Path,
    items: str | Path,
    aggregator: Path,
    *,
    out: Path,
    options: ReadOptions | None = None,
    group: tuple[str, ...] = (),
    force: bool = False,
    raw: bool = False,
    keep_columns: Sequence[str] = (),
    part: int = PART,
    say: Say,
    shown: bool = False,
) -> Scored:
    """Score the items of a file; a run that was killed goes on where it stopped."""
    from ...extract.options.groups import ReadOptions
    from ...extract.options.option import as_json
    from ...extract.prompts.inputs import read_template, unused_columns

    check_output(out)
    options = options or ReadOptions()
    record = load_aggregator(aggregator)
    loaded = open_items(items, group=group)
    if options.prompts.template is not None:
        read_template(options.prompts.template, loaded)  # refuses one where items need none, before a model is loaded
    of = {"aggregator": sha256_file(aggregator), "items": items_hash(loaded), "options": as_json(options)}
    scale = scale_of(options.prompts, record)
    if keep_columns:
        check_kept(keep_columns, scale, **columns_of(record, scale))
        first = loaded.part(range(min(len(loaded), part)))
        kept_values(keep_columns, first.table, first.fields)  # refuses a name that is none, before a model is loaded
    with ScoreJournal(out, scale, of, **columns_of(record, scale), beside=keep_columns, raw=raw) as journal:
        tally = Tally(record, journal)
        with Progress(len(loaded), done=journal.n_rows, shown=shown) as progress:
            reader, notes = open_live(
                model, record, options, say=say, sep=journal.kept.get("separator"), force=force,
                advance=progress.advance, template=loaded.template,
            )  # fmt: skip
            notes += unused_columns(reader.prompt_format.template, loaded)
            if journal.n_rows:
                _check_same_model(journal, reader)
                say(f"continuing: {journal.n_rows} of {len(loaded)} items are there")
                notes += _version_notes(journal, reader)
            for start in range(journal.n_rows, len(loaded), part):
                _append(tally, reader, loaded.part(range(start, min(start + part, len(loaded)))))
        journal.finish()
    return tally.scored([*notes, *reading_note(record, reader)], remedy="give --group")


def _append(tally: Tally, reader: LiveReader, some: Items) -> None:
    """Read and score some items, in the way in which those before were read, or not at all."""
    data, journal = reader.read(some), tally.journal
    before = journal.kept.get("fingerprint")
    if before is not None and reader.fingerprint not in {None, before}:
        raise LagerError(
            f"{journal.out}.partial was begun with prompts that were read in another way (template, chat template or "
            f"another option): remove it and {journal.out.name}.partial.json, or choose another name for --out"
        )
    kept = {"separator": reader.sep, "fingerprint": reader.fingerprint or before}
    kept["versions"] = journal.kept.get("versions") or reader.versions
    kept |= {"readout_id": sha256_json(reader.readout_inputs), "readout_inputs": reader.readout_inputs}
    beside = _beside(journal.beside, some)
    tally.append(data, group=object_column(some.table, "group"), beside=beside, **kept)


def _beside(names: Sequence[str], some: Items) -> list[dict[str, Any]]:
    """Return the columns that are kept; later items may lack one that the first ones have."""
    lacking = {name: None for name in names if name not in some.table.columns}
    return kept_values(names, some.table, [{**lacking, **fields} for fields in some.fields]) if names else []


def items_hash(items: ItemSource) -> str:
    """Return the hash of every item's id and content, in order."""
    digest = hashlib.sha256()
    for some in blocks(items):
        for item_id, fields in zip(some.item_id, some.fields, strict=True):
            digest.update(canonical_json([item_id, fields]).encode() + b"\n")
    return digest.hexdigest()


def _version_notes(journal: ScoreJournal, reader: LiveReader) -> list[str]:
    """Return a line where the rows that are there were read under other versions of the libraries."""
    from ...extract.planning.versions import other_versions

    line = other_versions(journal.kept.get("versions"), reader.versions)
    return [f"{journal.out} {line}"] if line else []


def _check_same_model(journal: ScoreJournal, reader: LiveReader) -> None:
    """Raise `LagerError` when the rows that are there were read with another model."""
    kept = journal.kept
    if names := unlike(kept.get("readout_id"), kept.get("readout_inputs"), reader.readout_inputs):
        raise LagerError(
            f"{journal.out}.partial was begun with another model ({listed_names(names)} differ): remove it and "
            f"{journal.out.name}.partial.json, or choose another name for --out"
        )

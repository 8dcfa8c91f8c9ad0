"""What a manifest needs to know of a shard, gathered in one reading, for many shards at once where there are cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cache.manifest import content_hash, file_entry
from ..cache.shards import STRINGS, ShardData, read_attributes, read_shard, row_digests
from ..errors import LagerError
from ..items.item_table import ITEM, table_schema, text_sha256


class ShardFacts(NamedTuple):
    """A sound shard without its read-outs.

    Attributes
    ----------
    entry : dict
        Its line of the manifest.
    item_id : list of str
        Ids.
    prompt_sha256, digests : list of bytes
        Hashes of each row's prompt and content.
    shape : tuple of int
        Entries and labels of a row's read-out.
    numeric, text : frozenset of str
        Its optional datasets.
    schema : dict
        Columns of the item rows that it carries.
    n_valid, reasons : int, list of str
        Rows with a read-out, and why the others have none.
    masses : ndarray of shape (n_valid,)
        The probability that the score tokens have together.
    cost : dict
        What it took to read.
    """

    entry: dict[str, Any]
    item_id: list[str]
    prompt_sha256: list[bytes]
    digests: list[bytes]
    shape: tuple[int, ...]
    numeric: frozenset[str]
    text: frozenset[str]
    schema: dict[str, Any]
    n_valid: int
    reasons: list[str]
    masses: NDArray[np.float32]
    cost: dict[str, Any]


def shard_facts(path: Path, name: str, fingerprint: str) -> ShardFacts:
    """Read a shard, check it and return what a manifest needs of it."""
    data, attributes, digests = _checked(path, fingerprint=fingerprint)
    final = data.logits_normed[data.valid, -1] - data.logsumexp[data.valid, None]
    return ShardFacts(
        entry=file_entry(path, name=name, rows=len(data)),
        item_id=data.item_id,
        prompt_sha256=[row.tobytes() for row in data.prompt_sha256],
        digests=digests,
        shape=data.logits.shape[1:],
        numeric=frozenset(set(data.optional) - set(STRINGS)),
        text=frozenset(set(data.optional) & set(STRINGS)),
        schema=table_schema(data.optional[ITEM][0], path=path) if ITEM in data.optional else {},
        n_valid=int(data.valid.sum()),
        reasons=[reason for reason in data.reason if reason],
        masses=np.exp(final).sum(axis=1),
        cost=attributes.get("cost", {}),
    )


def sound_shard(path: Path, *, fingerprint: str) -> tuple[ShardData, dict[str, Any]]:
    """Return a shard and its attribute when its content is what it was written as, in this run's way."""
    return _checked(path, fingerprint=fingerprint)[:2]


def _checked(path: Path, *, fingerprint: str) -> tuple[ShardData, dict[str, Any], list[bytes]]:
    attributes, data = read_attributes(path), read_shard(path)
    if attributes.get("fingerprint") != fingerprint:
        raise LagerError(f"{path} was read in another way than this run's (another fingerprint): remove it")
    digests = row_digests(data)
    same_text = attributes.get("text_sha256", text_sha256(data.optional)) == text_sha256(data.optional)
    if not same_text or attributes.get("content_hash") != content_hash(data.item_id, digests):
        raise LagerError(f"{path} is damaged: its content is not what was written; remove it and run the same "
                         "extraction again")  # fmt: skip
    return data, attributes, digests

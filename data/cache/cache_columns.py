"""The datasets of a cache's shards, as arrays that are read when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from .readouts import row_blocks
from .shard_files import ShardFiles
from .shards import optional_names, prompt_keys


class CacheColumns:
    """The datasets of a cache's shards; the base of `FeatureCache`.

    Attributes
    ----------
    path : Path
        The cache's folder.
    manifest : dict
        What the cache says of itself.
    items : polars.DataFrame
        The item table.
    verify : bool
        Whether checksums are compared.
    """

    path: Path
    manifest: dict[str, Any]
    items: pl.DataFrame
    verify: bool
    _columns: dict[str, Any]

    @property
    def n_items(self) -> int:
        """The number of items, valid or not."""
        return len(self.items)

    @property
    def n_layers(self) -> int:
        """L: the number of blocks. The layer axis has L + 1 entries."""
        return int(self.manifest["n_entries"]) - 1

    @property
    def logits(self) -> NDArray[np.float32]:
        """Raw read-outs, ndarray of shape (n_items, n_layers + 1, n_labels)."""
        return self._array("logits")

    @property
    def logits_normed(self) -> NDArray[np.float32]:
        """Read-outs through the final norm and head, ndarray of shape (n_items, n_layers + 1, n_labels)."""
        return self._array("logits_normed")

    @property
    def logsumexp(self) -> NDArray[np.float32]:
        """Final-layer log-sum-exp over the whole vocabulary, ndarray of shape (n_items,)."""
        return self._array("logsumexp")

    @property
    def n_tokens(self) -> NDArray[np.int32]:
        """Prompt lengths in tokens, ndarray of shape (n_items,)."""
        return self._array("n_tokens")

    @property
    def position(self) -> NDArray[np.int32]:
        """Index of the read-out token, ndarray of shape (n_items,)."""
        return self._array("position")

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether an item has a read-out, ndarray of shape (n_items,)."""
        return self._array("valid")

    @property
    def prompt_sha256(self) -> NDArray[np.uint8]:
        """Hashes of the rendered token ids, ndarray of shape (n_items, 32)."""
        return self._array("prompt_sha256")

    def prompt_keys(self) -> NDArray[np.uint64]:
        """Return the first 8 bytes of every prompt's hash as a number, big-endian; ndarray of shape (n_items,)."""
        keys = np.empty(self.n_items, dtype=np.uint64)
        for rows in row_blocks(self.n_items):
            hashes = self._files.read(["prompt_sha256"], rows)["prompt_sha256"]
            keys[rows.start : rows.stop] = prompt_keys(hashes)
        return keys

    def prompts(self) -> dict[str, str]:
        """Return every prompt's hash in hexadecimal digits, by item id."""
        return {item: bytes(one).hex() for item, one in zip(self.item_id, self.prompt_sha256, strict=True)}

    @property
    def item_id(self) -> NDArray[np.object_]:
        """Ids, ndarray of shape (n_items,), dtype object."""
        return self._array("item_id")

    @property
    def reason(self) -> NDArray[np.object_]:
        """Why an item is not valid, empty where it is; ndarray of shape (n_items,), dtype object."""
        return self._array("reason")

    @property
    def label_form(self) -> NDArray[np.uint8]:
        """Which of ``scale.token_ids_of_forms`` a row was read with, ndarray of shape (n_items,); 0 without forms."""
        if "token_ids_of_forms" not in self.manifest["fingerprint_inputs"].get("scale", {}):
            return np.zeros(self.n_items, dtype=np.uint8)
        return self._array("label_form")

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolings of the hidden states that are stored, empty where there are none."""
        names = optional_names(self.path / self.manifest["shards"][0]["file"])
        prefix = "hidden_scale_"
        return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def hidden(self, pooling: str = "last", *, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return pooled hidden states, as `lager extract --features hidden` stores them.

        Parameters
        ----------
        pooling : {"mean", "last", "min", "max"}
            Over the prompt's tokens; "last" is the state at the read-out position.
        rows : ndarray of int, optional
            Row numbers: only those are read, and not kept. All rows when None, which are.

        Returns
        -------
        ndarray of shape (n_items, n_layers + 1, d), float32
            NaN in rows that are not valid. Stored as float16 after division by the largest absolute value of each
            (item, entry), so each value is exact to about 5e-4 of that.

        Raises
        ------
        LagerError
            When the cache holds no hidden states of that pooling.
        """
        if pooling not in self.poolings:
            raise LagerError(
                f"cache {self.path} holds {', '.join(self.poolings) or 'no'} hidden states, not {pooling!r}: extract "
                f"with --features logits,hidden --pooling {pooling}"
            )
        names = [f"hidden_{pooling}", f"hidden_scale_{pooling}"]
        if rows is None:
            states, scale = (self._array(name) for name in names)
        else:
            read = self._files.read(names, rows)
            states, scale = (read[name] for name in names)
        states = states.astype(np.float32)
        if states.ndim != 3 or scale.shape != states.shape[:2] or scale.shape[1] != self.n_layers + 1:
            raise LagerError(f"cache {self.path}: hidden states have shape {states.shape}, their scales {scale.shape}")
        states *= scale[:, :, None]
        return states

    def _hidden_of(self, pooling: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return self.hidden(pooling, rows=rows)

    def _kept_hidden_of(self, pooling: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return self.hidden(pooling)[rows]

    @property
    def score_mass(self) -> NDArray[np.float64]:
        """The model's probability of answering with a score token, ndarray of shape (n_items,)."""
        mass = np.empty(self.n_items)
        for rows in row_blocks(self.n_items):
            read = self._files.read(["logits_normed", "logsumexp"], rows, entries=[-1])
            final = read["logits_normed"][:, 0].astype(np.float64) - read["logsumexp"][:, None].astype(np.float64)
            mass[rows.start : rows.stop] = np.exp(final).sum(axis=1)
        return mass

    def read(
        self,
        names: Sequence[str] = ("logits",),
        *,
        rows: range | slice | Sequence[int] | NDArray[np.intp] | None = None,
        layers: Sequence[int] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Read datasets of some rows and layers; only the shards that hold them are opened, and nothing is kept.

        Parameters
        ----------
        names : sequence of str
            Datasets of the shards: ``logits``, ``logits_normed``, ``n_tokens``, ``valid``, ... (docs/format.md).
        rows : range, slice or sequence of int, optional
            Row numbers of the input order, in any order, negative ones counted from the end; all rows when None.
        layers : sequence of int, optional
            Entries of the layer axis, 0 to L or counted from the end; all when None.

        Returns
        -------
        dict of str to ndarray
            First axis `rows`, second `layers` where a dataset has that axis.

        Raises
        ------
        LagerError
            When there is no such row, layer or dataset, or a shard is damaged.

        Examples
        --------
        >>> cache.read(["logits"], rows=range(512, 1024), layers=[20, -1])["logits"].shape  # doctest: +SKIP
        (512, 2, 5)
        """
        if isinstance(rows, slice):
            rows = range(self.n_items)[rows]
        wanted = np.array(range(self.n_items) if rows is None else rows, dtype=np.intp)
        wanted[wanted < 0] += self.n_items
        n_entries = self.n_layers + 1
        if layers is not None and not all(-n_entries <= entry < n_entries for entry in layers):
            raise LagerError(f"cache {self.path} has layer entries 0 to {self.n_layers}, got {list(layers)}")
        return self._files.read(names, wanted, entries=slice(None) if layers is None else list(layers))

    @cached_property
    def _files(self) -> ShardFiles:
        return ShardFiles(self.path, self.manifest, self.items["item_id"], verify=self.verify)

    def _array(self, name: str) -> Any:
        """Return a whole dataset, read from every shard on first use."""
        if name not in self._columns:
            self._columns[name] = self._files.column(name)
        return self._columns[name]

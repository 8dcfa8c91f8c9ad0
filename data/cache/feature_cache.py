"""Reading a feature cache: what the LLM said at every layer, without the LLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from ..files.location import as_folder, as_url
from ..files.locks import FileLock
from ..items.item_table import flat_scores, mean_scores, object_column, without_empty
from ..items.label_targets import annotator_targets
from ..items.score_files import read_scores
from ..scale import Scale
from .manifest import RUN, read_manifest, read_run
from .prompt_clusters import PromptClusters, with_prompts_whole
from .read_item_table import read_item_table
from .readouts import PooledStates, Readouts, row_blocks
from .shard_files import READOUTS, ShardFiles
from .shards import ShardData, optional_names, prompt_keys, read_shard
from .stored_readouts import KEPT_ON_DISK_ABOVE, StoredReadouts


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


@dataclass(frozen=True)
class FeatureCache(CacheColumns):
    """A complete feature cache on disk; `FeatureCache.open` reads one.

    Datasets are read on first use and kept; `read` gives parts of them and keeps nothing. A shard's checksum is
    compared before its first read. Row order is the input order of the extraction.

    Attributes
    ----------
    logits : ndarray of shape (n_items, n_layers + 1, n_labels), float32
        ``h_l . W_U[M]`` for every entry of the layer axis (paper, section 3); NaN in rows that are not valid.
    logits_normed : ndarray of shape (n_items, n_layers + 1, n_labels), float32
        The model's own head on the final norm of ``h_l``; the last entry is the model's own logits.
    scores : list of list of float
        Every annotator's score of an item.
    mean_scores : ndarray of shape (n_items,)
        Their mean, NaN where there is none.
    items : polars.DataFrame
        item_id, scores, group, cluster, system, and further group columns.
    manifest : dict
        What the cache says of itself.
    """

    path: Path
    manifest: dict[str, Any]
    items: pl.DataFrame
    verify: bool = True
    lease: FileLock | None = field(default=None, repr=False, compare=False)
    _columns: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> FeatureCache:
        """Open a complete cache.

        Parameters
        ----------
        path : str or Path
            The cache's folder, or a URL; what lies at a URL is pulled into the local store once (docs/sharing.md).
        verify : bool
            Whether checksums are compared before a file is read.

        Raises
        ------
        LagerError
            When the folder is no cache, the cache is not complete, or a file changed.
        """
        folder, lease = as_folder(path), None
        if (url := as_url(path)) is not None:
            from ..remote.store import stored_copy

            folder, lease = stored_copy(url)
        manifest = read_manifest(folder)
        if verify and (folder / RUN).exists():  # not needed to read, but the whole cache is vouched for
            read_run(folder)
        items = read_item_table(folder, manifest, verify=verify)
        return cls(folder, manifest, without_empty(items), verify, lease)

    def __len__(self) -> int:
        """Return the number of items, valid or not."""
        return self.n_items

    @cached_property
    def scale(self) -> Scale:
        """The score labels of the read-outs' last axis."""
        return Scale.from_json(self.manifest["scale"])

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides how a prompt is read."""
        return str(self.manifest["fingerprint"])

    @property
    def readout_id(self) -> str:
        """Hash of weights, read-out contract and dtype: what an aggregator depends on."""
        return str(self.manifest["readout_id"])

    @property
    def private(self) -> bool:
        """Whether prompt hashes are keyed with a secret of this cache."""
        return bool(self.manifest["private"])

    @property
    def items_hash(self) -> str:
        """Hash of the items' ids and prompts."""
        return str(self.manifest["items_hash"])

    @property
    def content_hash(self) -> str:
        """Hash of the decoded content."""
        return str(self.manifest["content_hash"])

    @property
    def scores(self) -> list[list[float]]:
        """Every annotator's score of each item."""
        return self.items["scores"].to_list()

    @property
    def mean_scores(self) -> NDArray[np.float64]:
        """Mean human score of each item, NaN where there is none; ndarray of shape (n_items,)."""
        return mean_scores(self.items["scores"])

    def column(self, name: str) -> NDArray[np.object_] | None:
        """Return a column of the items as an ndarray of str or None, or None when it is missing or all null."""
        return object_column(self.items, name)

    @cached_property
    def clusters(self) -> PromptClusters:
        """The clusters of all rows, those joined that share a prompt of a valid row."""
        given, rows = self.column("cluster"), np.flatnonzero(self.valid)
        found = with_prompts_whole(None if given is None else given[rows], self.prompt_keys()[rows])
        if found.cluster is None or len(rows) == self.n_items:
            return found
        everywhere = np.full(self.n_items, None, dtype=object) if given is None else given.copy()
        everywhere[rows] = found.cluster
        return found._replace(cluster=everywhere)

    @property
    def is_large(self) -> bool:
        """Whether a read-out of all items is more than is kept in memory unasked, see `readouts`."""
        return 4 * self.n_items * int(np.prod(self._files.entry_shape)) > KEPT_ON_DISK_ABOVE

    def readouts(self, *, keep_on_disk: bool | None = None) -> Readouts:
        """Return the valid rows, labelled or not, as arrays for fitting and scoring.

        Parameters
        ----------
        keep_on_disk : bool, optional
            Whether the read-outs stay on disk, as `StoredReadouts`, and are read in blocks when they are used. When
            None, so do those of more than 256 MiB. Ids are left out then.
        """
        rows = np.flatnonzero(self.valid)
        keep_on_disk = self.is_large if keep_on_disk is None else keep_on_disk
        place = np.arange(self.n_items)
        logits, normed = (self._stored(name) if keep_on_disk else self._array(name) for name in READOUTS)
        everything = Readouts(
            item_id=None if keep_on_disk else self.item_id,
            logits=logits,
            logits_normed=normed,
            n_tokens=self.n_tokens,
            human=self.mean_scores,
            group=self.column("group"),
            cluster=self.clusters.cluster,
            scale=self.scale,
            hidden=PooledStates(self._hidden_of if keep_on_disk else self._kept_hidden_of, self.poolings, place),
            target=annotator_targets(*flat_scores(self.items["scores"]), self.scale.array),
        )
        return everything if len(rows) == self.n_items else everything.take(rows)

    def with_scores(self, path: str | Path) -> FeatureCache:
        """Return the cache with human scores from a file with columns id and score, joined by id.

        Raises
        ------
        LagerError
            When the file is malformed, repeats an id, names an item that the cache lacks, a score is off scale, or
            the file says that its items are others.
        """
        scores = read_scores(Path(path), self.scale, items=self.items, whose=f"cache {self.path}", prompts=self.prompts)
        column = pl.Series("scores", [scores.get(i, []) for i in self.items["item_id"]], dtype=pl.List(pl.Float64))
        return replace(self, items=self.items.with_columns(column))

    def read_shard(self, number: int) -> ShardData:
        """Return the rows of one shard, after its checksum was compared; nothing is kept."""
        self._files.check(number)
        path = self.path / self.manifest["shards"][number]["file"]
        data = read_shard(path)
        try:
            data.check()
        except ValueError as error:
            raise LagerError(f"{path}: {error}; it was not written by lager, do not rely on it") from None
        return data

    def check_files(self) -> None:
        """Compare the checksum of every shard.

        Raises
        ------
        LagerError
            When a file is missing or changed.
        """
        self._files.check_all()

    def _stored(self, name: str) -> Any:
        """Return what is indexed like an ndarray and reads when it is."""
        return StoredReadouts(self._files, name, np.arange(self.n_items), range(self.n_layers + 1))

"""Reading a feature cache: what the LLM said at every layer, without the LLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
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
from ..items.raters import RATED_BY, RaterScores, has_raters, rater_scores
from ..items.score_files import read_scores
from ..scale import Scale
from .cache_columns import CacheColumns
from .frames import LogitsOf, cache_frame
from .manifest import RUN, read_manifest, read_run
from .overview import overview_html, overview_text
from .prompt_clusters import PromptClusters, with_prompts_whole
from .read_item_table import read_item_table
from .readouts import PooledStates, Readouts
from .shard_files import READOUTS
from .shards import ShardData, read_shard
from .stored_readouts import KEPT_ON_DISK_ABOVE, StoredReadouts


@dataclass(frozen=True, repr=False)
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
    lease: FileLock | None = field(default=None, compare=False)
    _columns: dict[str, Any] = field(default_factory=dict)

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

    def __repr__(self) -> str:
        """Return what the cache holds, in ten lines."""
        return overview_text(self)

    def _repr_html_(self) -> str:
        """Return the same for a notebook."""
        return overview_html(self)

    def to_polars(self, *, logits: LogitsOf = "none") -> pl.DataFrame:
        """Return a row for each item.

        Parameters
        ----------
        logits : {"none", "raw", "normed"}
            With a read-out, a column ``logits`` of arrays of shape (n_layers + 1, n_labels); NaN where a row is not
            valid.

        Returns
        -------
        polars.DataFrame
            The columns of `items`, and human (the mean of its annotators), valid, reason, n_tokens, score_mass.
        """
        return cache_frame(self, logits=logits)

    def to_pandas(self, *, logits: LogitsOf = "none") -> Any:
        """Return the same as a frame of pandas, which must be installed; read-outs are nested lists.

        Raises
        ------
        LagerError
            When pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise LagerError("pandas is not installed: `pip install pandas`, or use to_polars()") from None
        return pandas.DataFrame(self.to_polars(logits=logits).to_dict(as_series=False))

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

    @property
    def raters(self) -> RaterScores:
        """Every rater's scores by name, or by place in the lists where no names are known."""
        return rater_scores(self.items)

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

    def with_scores(self, path: str | Path, *, raters: Sequence[str] = ()) -> FeatureCache:
        """Return the cache with human scores from a file with columns id and score, joined by id.

        Parameters
        ----------
        path : str or Path
            With a list in ``score`` for several raters; or with a column ``rater`` and a row for each rater of an item.
        raters : sequence of str
            Columns that hold one rater's scores each, instead of ``score``.

        Raises
        ------
        LagerError
            When the file is malformed, repeats an id, names an item that the cache lacks, a score is off scale, or
            the file says that its items are others.
        """
        found = read_scores(
            Path(path), self.scale, items=self.items, whose=f"cache {self.path}", prompts=self.prompts, raters=raters
        )
        own = self.items.drop("scores", *([RATED_BY] if has_raters(self.items) else []))
        table = own.join(found, on="item_id", how="left", maintain_order="left")
        columns = ["item_id", "scores", *(name for name in table.columns if name not in ("item_id", "scores"))]
        return replace(self, items=table.select(columns).with_columns(pl.col(found.columns[1:]).fill_null([])))

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

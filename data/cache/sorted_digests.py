"""The two hashes of a cache over all its rows in the order of their ids, in bounded memory."""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from json.encoder import encode_basestring
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from ..errors import LagerError

# Rows that are sorted in memory at once: about 20 MiB. More are sorted in runs, which lie in a temporary file each, and
# all files are open at the end: of very many rows there are more in a run.
RUN_ROWS, MOST_RUNS = 1 << 16, 256
_DIGEST_BYTES = 32

Row = tuple[bytes, bytes, bytes]


class CacheHashes(NamedTuple):
    """What the rows of a cache hash to.

    Attributes
    ----------
    items_hash, content_hash : str
        As `lager.data.cache.manifest.items_hash` and `content_hash` of all rows.
    """

    items_hash: str
    content_hash: str


def rows_of_a_run(n_rows: int) -> int:
    """Return how many of so many rows are sorted in memory at once."""
    return max(RUN_ROWS, n_rows // MOST_RUNS)


class SortedDigests(AbstractContextManager["SortedDigests"]):
    """Takes rows in any order and hashes them in the order of their ids.

    UTF-8 bytes sort as the code points of the text do, so the order is that of `sorted` over the ids.

    Parameters
    ----------
    folder : Path
        Where the temporary files lie; they have no name there, so a killed process leaves nothing.
    run_rows : int
        Rows that are sorted in memory at once, see `rows_of_a_run`.
    """

    def __init__(self, folder: Path, *, run_rows: int) -> None:
        self.folder, self.run_rows = folder, run_rows
        self._rows: list[Row] = []
        self._runs: list[IO[bytes]] = []
        self._stack = ExitStack()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the temporary files."""
        self._stack.close()

    def add(self, item_id: Sequence[str], prompt_sha256: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Take some rows: ids, prompt hashes and row digests of 32 bytes each."""
        ids = [name.encode() for name in item_id]
        self._rows += zip(ids, prompt_sha256, digests, strict=True)
        if len(self._rows) >= self.run_rows:
            self._spill()

    def hashes(self) -> CacheHashes:
        """Return the hashes of all rows taken; a `LagerError` when two rows have the same id."""
        items, content = hashlib.sha256(b"["), hashlib.sha256()
        before: bytes | None = None
        self._rows.sort()
        for name, prompt, digest in heapq.merge(*map(_read_run, self._runs), self._rows):
            if name == before:
                raise LagerError(f"two rows have the id {name.decode()!r}: ids must be unique in a cache")
            # As `canonical_json` writes a pair, but at a tenth of its price.
            pair = f'[{encode_basestring(name.decode())},"{prompt.hex()}"]'
            items.update((b"" if before is None else b",") + pair.encode())
            content.update(digest)
            before = name
        items.update(b"]")
        return CacheHashes(items.hexdigest(), content.hexdigest())

    def _spill(self) -> None:
        self._rows.sort()
        file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (it lives until this object's block ends)
        self._stack.enter_context(file)
        for name, prompt, digest in self._rows:
            file.write(len(name).to_bytes(4, "little") + name + prompt + digest)
        self._runs.append(file)
        self._rows = []


def _read_run(file: IO[bytes]) -> Iterator[Row]:
    file.seek(0)
    while head := file.read(4):
        name = file.read(int.from_bytes(head, "little"))
        yield name, file.read(_DIGEST_BYTES), file.read(_DIGEST_BYTES)

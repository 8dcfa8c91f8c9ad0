"""Object stores and other file systems, through fsspec."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import LagerError
from ..safe_text import scrubbed
from .remote import BLOCK, CLAIM_LIMIT, MissingError, UnreachableError

# A put makes the object appear whole or not at all; the hash goes with it, so that it need not be read to be compared.
_ATOMIC = {
    "s3": lambda sha256: {"Metadata": {"sha256": sha256}},
    "gs": lambda sha256: {"metadata": {"sha256": sha256}},
}
_ALIASES = {"s3a": "s3", "gcs": "gs"}
_LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
_NO_KEYS = {"NoCredentialsError", "PartialCredentialsError"}
_NO_ENTRY = "EntryNotFoundError"  # of huggingface_hub, where a folder is not there either
_OUR_MISTAKES = (TypeError, AttributeError, NameError, AssertionError)


class ObjectStore:
    """Files under one URL of a file system that fsspec knows; credentials come from where its client looks for them.

    Parameters
    ----------
    url : str
        ``s3://BUCKET/PATH``, ``gs://``, ``hf://datasets/OWNER/NAME/PATH`` or another.

    Raises
    ------
    LagerError
        When fsspec, or what it needs for such a URL, is not installed.
    """

    keeps_sources = False

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0]
        self.scheme = _ALIASES.get(scheme, scheme)
        self.shown = scrubbed(url).rstrip("/")
        try:
            import fsspec

            # No listings are kept: another process may have pushed since.
            self.fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            raise LagerError(
                f"{self.shown}: {error.name or _LIBRARIES.get(self.scheme, 'a library')} is not installed; install "
                f"lager[{'gcs' if self.scheme == 'gs' else 'remote'}] for {scheme}:// URLs"
            ) from None
        except ValueError as error:
            raise LagerError(
                f"{self.shown}: {_first_line(error)}; expected a folder, s3://, gs://, hf:// or https://"
            ) from None
        self.root = str(root).rstrip("/")

    def read(self, name: str, *, limit: int) -> bytes:
        """Return a whole small file."""
        with self._told(name), self.fs.open(self._path(name), "rb", cache_type="none") as file:
            size = file.size
            content: bytes = file.read(limit + 1)
        if len(content) > limit:
            raise LagerError(f"{self.shown}/{name} has more than {limit} bytes: it is no {name} of a cache")
        if size is not None and len(content) < size:
            raise UnreachableError(f"{self.shown}/{name} was cut off after {len(content)} bytes")
        return content

    def blocks(self, name: str, *, start: int, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) from `start` on."""
        with self._told(name), self.fs.open(self._path(name), "rb", cache_type="none") as file:
            file.seek(start)
            while start < size and (block := file.read(min(BLOCK, size - start))):
                yield start, block
                start += len(block)

    def prepare(self, *, public: bool) -> str:
        """Remember whether objects are to be public; only S3 has a switch for it."""
        if public and self.scheme != "s3":
            raise LagerError(
                f"--public: {self.shown} has no switch for it here; leave it out, and open the place with its own tools"
            )
        self._acl = {"ACL": "public-read"} if public else {}
        return "everyone (public-read)" if public else "whoever the bucket's or server's own settings let in"

    def size(self, name: str) -> int | None:
        """Return the size of a file, None where there is none."""
        try:
            with self._told(name):
                return int(self.fs.info(self._path(name))["size"])
        except MissingError:
            return None

    def sha256(self, name: str) -> str:
        """Return the hash of a file: the one stored with the object, else that of what is read."""
        with self._told(name):
            known = self._stored_sha256(self._path(name))
            if known is not None:
                return known
            digest = hashlib.sha256()
            with self.fs.open(self._path(name), "rb", cache_type="none") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
            return digest.hexdigest()

    def send(self, source: Path, name: str, *, sha256: str) -> None:
        """Upload a file under its name where that is atomic, else under a temporary one, and compare the size."""
        path = self._path(name)
        size = source.stat().st_size
        with self._told(name):
            if self.scheme in _ATOMIC:
                self.fs.put_file(str(source), path, **_ATOMIC[self.scheme](sha256), **self._acl)
            else:
                folder, _, last = path.rpartition("/")
                temporary = f"{folder}/.{last}.{sha256[:16]}.part"
                self.fs.makedirs(folder, exist_ok=True)
                self.fs.put_file(str(source), temporary)
                self.fs.mv(temporary, path)
        if (found := self.size(name)) != size:
            raise UnreachableError(f"{self.shown}/{name} has {found} bytes after {size} were sent; push again")

    def claim(self, name: str, content: bytes) -> bytes:
        """Store a small file unless there is one (a conditional put where there are such), and return what is there."""
        path = self._path(name)
        with self._told(name):
            if self.scheme not in _ATOMIC:
                self.fs.makedirs(self.root, exist_ok=True)
            try:
                self.fs.pipe_file(path, content, mode="create")
            except Exception:  # each client has an error of its own for what is there already
                if self.size(name) is None:
                    raise
        return self.read(name, limit=CLAIM_LIMIT)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._told(name):
            self.fs.rm_file(self._path(name))

    def finish(self, last: Path, name: str, *, sha256: str) -> None:
        """Upload the last file."""
        self.send(last, name, sha256=sha256)

    def delete(self, names: Sequence[str]) -> str:
        """Delete objects; a bucket that keeps versions keeps those of objects that are deleted."""
        for name in names:
            with suppress(MissingError):
                self.remove(name)
        return "a bucket that keeps versions keeps what was deleted as well, until its owner removes those"

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _stored_sha256(self, path: str) -> str | None:
        if self.scheme == "s3":
            return self.fs.metadata(path).get("sha256")
        info = self.fs.info(path)
        if self.scheme == "gs":
            return (info.get("metadata") or {}).get("sha256")
        return (info.get("lfs") or {}).get("sha256")  # the hub keeps large files by their sha256

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Turn the many errors of the clients into ours; none of them shares a base class with the others."""
        where = f"{self.shown}/{name}"
        try:
            yield
        except (LagerError, *_OUR_MISTAKES):
            raise
        except ImportError as error:
            raise LagerError(f"{where}: {_first_line(error)}; install lager[remote]") from None
        except FileNotFoundError:
            raise MissingError(f"{where} does not exist") from None
        except PermissionError as error:
            raise LagerError(f"{where}: access is refused ({_first_line(error)}); check the credentials") from None
        except Exception as error:
            if any(kind.__name__ == _NO_ENTRY for kind in type(error).__mro__):
                raise MissingError(f"{where} does not exist") from None
            if type(error).__name__ in _NO_KEYS:
                raise LagerError(
                    f"{where}: no credentials were found; give them as the place's own tools want them, or set "
                    "FSSPEC_S3_ANON=true for a bucket that everyone may read"
                ) from None
            raise UnreachableError(f"cannot reach {where}: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    lines = scrubbed(str(error)).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines[0] else type(error).__name__

"""Pulling a cache: it appears when all of its files have arrived and were checked."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..cache.manifest import MANIFEST, read_manifest
from ..errors import LagerError, cannot_write
from ..files.json_text import RECORD
from ..files.locks import only_process
from ..files.writing import replacing
from ..progress import Progress, Say, silent, to_stderr
from ..tools.verify import verify_cache
from .open import open_remote
from .patience import in_time
from .remote import MissingError, Remote
from .transfer import DEFAULT_JOBS, fetch_file, in_parallel, part_name

_SHA256 = re.compile(r"[0-9a-f]{64}")


class RemoteManifest(NamedTuple):
    """The manifest of a cache elsewhere: checked by itself, before any of its files was read.

    Attributes
    ----------
    content : bytes
        As it was read.
    record : dict
        What it says.
    """

    content: bytes
    record: dict[str, Any]

    @property
    def files(self) -> list[dict[str, Any]]:
        """What it says of every file."""
        return [self.record["items"], *self.record["shards"]]


def pull(url: str | Path, folder: str | Path, *, jobs: int = DEFAULT_JOBS, shown: bool = True) -> Path:
    """Fetch a cache into a new folder.

    The manifest is checked first, in memory. Each file is checked against its sha256 before it gets its name, and at
    the end every shard and row is checked against the manifest. Until then the files are in ``.NAME.pulling`` beside
    the new folder; the same call continues an interrupted pull there.
    """
    say = to_stderr if shown else silent
    target = Path(folder)
    remote = open_remote(url)
    manifest = read_remote_manifest(remote)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        if _holds(target, manifest):
            say(f"{target} holds this cache already")
            return target
        raise LagerError(f"{target} exists already and holds something else: choose another folder")
    fetch_cache(remote, manifest, target, jobs=jobs, shown=shown)
    return target


def read_remote_manifest(remote: Remote) -> RemoteManifest:
    """Read the manifest of a cache elsewhere and check its form, names, sizes and seal."""
    try:
        content = in_time(lambda: remote.read(MANIFEST, limit=RECORD.size), what=f"{remote.shown}/{MANIFEST}")
    except MissingError:
        raise MissingError(
            f"{remote.shown} holds no complete cache: it has no {MANIFEST}; give the URL of the folder that was pushed"
        ) from None
    with tempfile.TemporaryDirectory(prefix="lager-") as scratch:
        (Path(scratch) / MANIFEST).write_bytes(content)
        try:
            record = read_manifest(Path(scratch))
        except LagerError as error:
            raise LagerError(str(error).replace(scratch, remote.shown)) from None
    manifest = RemoteManifest(content, record)
    for entry in manifest.files:
        if "bytes" not in entry or not (isinstance(entry["sha256"], str) and _SHA256.fullmatch(entry["sha256"])):
            raise LagerError(
                f"{remote.shown}/{MANIFEST} does not say the size or the sha256 of {entry['file']}: push the cache "
                "with `lager cache push`"
            )
    return manifest


def fetch_cache(
    remote: Remote, manifest: RemoteManifest, target: Path, *, jobs: int = DEFAULT_JOBS, shown: bool = True
) -> None:
    """Fetch all files that a manifest lists, check them, and rename their folder to `target`."""
    say = to_stderr if shown else silent
    staging = target.parent / f".{target.name}.pulling"
    lock = staging.with_name(staging.name + ".lock")
    with only_process(lock, say=say):
        if _holds(target, manifest):  # another process was faster
            return
        _tidy(staging, manifest)
        total = sum(entry["bytes"] for entry in manifest.files)
        _check_space(staging, total)
        _fetch_files(remote, manifest, staging, total=total, jobs=jobs, shown=shown, say=say)
        _check_content(remote, manifest, staging)
        try:
            staging.rename(target)
        except OSError as error:
            raise LagerError(
                f"cannot give {staging} the name {target}: {error.strerror}; choose another folder"
            ) from None


def _fetch_files(
    remote: Remote, manifest: RemoteManifest, staging: Path, *, total: int, jobs: int, shown: bool, say: Say
) -> None:
    try:
        with Progress(total, what=f"pulling {remote.shown}", unit="bytes", shown=shown) as progress:
            in_parallel(
                lambda entry, stop: fetch_file(remote, entry, staging, advance=progress.advance, stop=stop),
                manifest.files,
                jobs=jobs,
            )
    except KeyboardInterrupt:
        say(f"stopped: what came is kept in {staging}; the same command goes on there")
        raise


def _holds(target: Path, manifest: RemoteManifest) -> bool:
    """Return whether a folder is a complete cache with the same manifest."""
    try:
        return read_manifest(target)["self_sha256"] == manifest.record["self_sha256"]
    except (LagerError, OSError):
        return False


def _tidy(staging: Path, manifest: RemoteManifest) -> None:
    """Make the folder; remove files of an earlier pull that the manifest does not list.

    Whatever is no folder of this user's own is refused: through a link that somebody else put there files would be
    written, and removed, elsewhere.
    """
    names = set()
    for entry in manifest.files:
        names |= {entry["file"], part_name(entry)}
    try:
        staging.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            staging.mkdir()
        facts = staging.lstat()
        if not stat.S_ISDIR(facts.st_mode) or (os.name == "posix" and facts.st_uid != os.geteuid()):
            raise LagerError(
                f"{staging} is a link, or not a folder of yours: files that are pulled come there first. Remove it, or "
                "choose another folder"
            )
        for path in staging.rglob("*"):
            listed = path.relative_to(staging).as_posix() in names
            if path.is_symlink() or not (path.is_dir() or (listed and path.is_file())):
                path.unlink()
    except OSError as error:
        raise cannot_write(staging, error) from None


def _check_space(staging: Path, total: int) -> None:
    there = sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
    free = shutil.disk_usage(staging).free
    if total - there > free:
        raise LagerError(
            f"the cache has {total / 2**30:.2f} GiB, {free / 2**30:.2f} GiB are free beside {staging}: make room, or "
            "choose another disk"
        )


def _check_content(remote: Remote, manifest: RemoteManifest, staging: Path) -> None:
    """Check the content of the files, as checksums only show that files and manifest have one author."""
    with replacing(staging / MANIFEST) as temporary:
        temporary.write_bytes(manifest.content)
    try:
        faults = [f"{fault.file}: {fault.what}" for fault in verify_cache(staging)]
    except LagerError as error:
        faults = [str(error)]
    if faults:
        shutil.rmtree(staging)
        raise LagerError(f"{remote.shown} holds no sound cache, and nothing of it was kept: {faults[0]}")

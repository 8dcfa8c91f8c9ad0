"""One worker looks through a large item file for all: the others take what it found in the same file."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...data.cache.manifest import MANIFEST
from ...data.errors import LagerError, cannot_write
from ...data.files.canonical import canonical_json
from ...data.files.writing import read_json, write_json
from ...data.items.items import ItemIds, RowForm
from ...data.items.large_files import RowFile
from ...data.items.survey import Survey, survey_items
from ...data.progress import Say
from ...data.run.worker_records import BEAT_SECONDS, STALE_SECONDS, WORKERS, file_system_now

SURVEY, CLAIM = "survey.json", "survey.claim"
POLL_SECONDS = 1.0


def survey_once(file: RowFile, form: RowForm, *, cache: Path, say: Say) -> Survey:
    """Look through a file, or wait for the worker that does and take what it found.

    A file is the same one when name, size and time of its last change are: on machines with copies of their own, each
    worker looks through its copy.
    """
    key, claim, waited = _key(file, form), cache / WORKERS / CLAIM, False
    while key is not None and not (cache / MANIFEST).exists():
        found, other = _read(cache, key)
        if found is not None:
            return found
        if other or _claimed_for(claim) not in {None, "", key}:  # of another file or form: nothing to wait for
            break
        if _take(claim, key, cache):
            try:
                found, _ = _read(cache, key)  # it may have been written just now
                return found or _survey(file, form, key=key, cache=cache, claim=claim)
            finally:
                claim.unlink(missing_ok=True)
        if not waited:
            say("another worker looks through the items")
            waited = True
        time.sleep(POLL_SECONDS)
    return survey_items(file, form)


def _survey(file: RowFile, form: RowForm, *, key: str, cache: Path, claim: Path) -> Survey:
    """Look through the file with a claim that is kept fresh, and leave for others what was found."""
    beat = time.monotonic()

    def keep_fresh() -> None:
        nonlocal beat
        if time.monotonic() - beat > BEAT_SECONDS:
            with suppress(OSError):
                os.utime(claim)
            beat = time.monotonic()

    found = survey_items(file, form, after_each_block=keep_fresh)
    scores = None if found.lowest > found.highest else [found.lowest, found.highest]
    with suppress(LagerError):  # the run goes on without; what cannot be written shows soon enough
        write_json(
            cache / WORKERS / SURVEY, {"key": key, "ids": list(found.ids), "scores": scores, "places": found.places}
        )
    return found


def _key(file: RowFile, form: RowForm) -> str | None:
    """Return what tells files, and ways to read them, apart."""
    try:
        stat = file.path.stat()
    except OSError:
        return None
    return canonical_json(
        [file.path.name, stat.st_size, stat.st_mtime_ns, form.kind, form.group, form.cluster, form.raters]
    )


def _read(cache: Path, key: str) -> tuple[Survey | None, bool]:
    """Return what another worker found, and whether it found it in another file."""
    try:
        record: dict[str, Any] = read_json(cache / WORKERS / SURVEY, what="survey")
        (n, sha256), scores = record["ids"], record["scores"]
        lowest, highest = (float("inf"), float("-inf")) if scores is None else map(float, scores)
        survey = Survey(ItemIds(int(n), str(sha256)), lowest, highest, bool(record["places"]))
    except (LagerError, KeyError, TypeError, ValueError):
        return None, False
    return (survey, False) if record.get("key") == key else (None, True)


def _claimed_for(claim: Path) -> str | None:
    """Return the key of the file that somebody looks through; None where nobody does."""
    try:
        return claim.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _take(claim: Path, key: str, cache: Path) -> bool:
    """Return whether the claim is this worker's now; one that was not kept fresh is taken over."""
    with suppress(OSError):
        if file_system_now(cache) - claim.stat().st_mtime > STALE_SECONDS:
            claim.unlink(missing_ok=True)
    try:
        claim.parent.mkdir(parents=True, exist_ok=True)
        with claim.open("x", encoding="utf-8") as file:
            file.write(key)
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot_write(cache, error) from None
    return True

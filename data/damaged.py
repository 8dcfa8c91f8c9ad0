"""Damaged files of a cache: moved out of the way, never deleted."""

from __future__ import annotations

from pathlib import Path

DAMAGED = "damaged"


def keep_damaged(folder: Path, name: str) -> None:
    """Move a file of a cache into its folder ``damaged``, under a name that is free there.

    Raises
    ------
    FileNotFoundError
        When it is gone.
    """
    target = folder / DAMAGED / name.replace("/", "-")
    target.parent.mkdir(exist_ok=True)
    numbers = (target.with_name(f"{target.name}.{n}") for n in range(1, 10_000))
    (folder / name).rename(next(path for path in (target, *numbers) if not path.exists()))

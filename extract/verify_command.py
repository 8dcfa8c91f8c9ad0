"""The command `lager cache verify`: the files of a cache and, with the model at hand, what it says of some items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..data.errors import LagerError
from ..data.progress import to_stderr
from .options.command_line import with_options
from .options.groups import LoadOptions

if TYPE_CHECKING:
    from .run.reread import Reread

_TOLD = 5


@with_options(only=("device", "trust_remote_code"))
def verify(
    cache: Annotated[Path, typer.Argument(help="The cache, or its URL.")],
    *,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of its model: a random sample of items is read again.")
    ] = None,
    items: Annotated[
        str | None, typer.Option(help="The items that it was made of; not needed where it keeps their text.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="How many items are read again.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 42,
    tolerance: Annotated[
        float | None, typer.Option(help="How far values may lie apart; 1e-4 in float32, more in half precision.")
    ] = None,
    load: LoadOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every file and every row of a cache, and name what is wrong; with --model also what the rows say.

    Example: lager cache verify cache/summeval --model meta-llama/Llama-3.1-8B-Instruct --items summeval.jsonl
    """
    from ..data.cache.feature_cache import FeatureCache
    from ..data.files.location import as_url
    from ..data.tools.verify import verify_cache

    if model is None and items is not None:
        raise LagerError("--items is for reading items again: give --model too")
    faults = verify_cache(cache if as_url(cache) is None else FeatureCache.open(cache).path)
    again = None
    if not faults and model is not None:
        from .run.reread import reread_sample

        again = reread_sample(
            model, FeatureCache.open(cache), items=items, sample=sample, seed=seed, tolerance=tolerance, load=load,
            say=to_stderr,
        )  # fmt: skip
    if as_json:
        found = {"sound": not faults and not (again and again.differing), "faults": [f._asdict() for f in faults]}
        print(json.dumps({**found, **({} if again is None else {"read_again": _as_json(again)})}))
    else:
        for fault in faults:
            print(f"{fault.file}: {fault.what}")
    if faults:
        raise LagerError(
            f"cache {cache} has {len(faults)} faults: restore the files from a copy, or `lager cache repair {cache}` "
            "and run the same extraction again"
        )
    if again is not None and again.differing:
        _refuse(cache, again)
    if not as_json:
        print(f"cache {cache} is sound")
        if again is not None:
            name = max(again.largest, key=lambda name: again.largest[name])
            print(f"{again.n_items} items were read again: largest difference {again.largest[name]:.2g} ({name})")


def _refuse(cache: Path, again: Reread) -> None:
    """Raise `LagerError` that names items which differ."""
    some = [f"{item!r} ({', '.join(names)})" for item, names in list(again.differing.items())[:_TOLD]]
    more = ", ..." if len(again.differing) > _TOLD else ""
    raise LagerError(
        f"{len(again.differing)} of {again.n_items} items of cache {cache}, read again, differ by more than "
        f"{again.tolerance:g}: {', '.join(some)}{more}; the items or the cache are not what they were, or this device "
        "is less exact: then allow more with --tolerance"
    )


def _as_json(again: Reread) -> dict[str, object]:
    """Return the comparison as JSON, which has no infinity: null stands for it."""
    largest = {name: far if far < float("inf") else None for name, far in again.largest.items()}
    return {**again._asdict(), "largest": largest}

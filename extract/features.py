"""What is stored of each item beside its read-outs."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.errors import LagerError

POOLINGS = ("mean", "last", "min", "max")


def check_features(features: Sequence[str], pooling: Sequence[str] | None) -> tuple[str, ...]:
    """Return the poolings that are asked for, in a fixed order; none without the feature "hidden".

    Raises
    ------
    LagerError
        When a name is unknown, or the two do not go together.
    """
    unknown = sorted(set(features) - {"logits", "hidden"})
    if unknown or "logits" not in features:
        raise LagerError(f"--features {','.join(features)}: expected logits, or logits,hidden")
    if "hidden" not in features:
        if pooling is not None:
            raise LagerError("--pooling is about hidden states: add --features logits,hidden, or leave it out")
        return ()
    asked = ("last",) if pooling is None else tuple(pooling)
    if not asked or not set(asked) <= set(POOLINGS):
        raise LagerError(f"--pooling {','.join(asked)}: expected some of {','.join(POOLINGS)}")
    return tuple(name for name in POOLINGS if name in asked)


def size_text(n_bytes: int) -> str:
    """Return a size for people, such as ``1.5 GiB``."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1024:.1f} KiB"

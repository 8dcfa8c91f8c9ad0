"""Options behind a strategy's name: which read-outs it looks at, and what its layer weights may be."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ...data.errors import LagerError

Constraint = Literal["simplex", "nonneg", "free"]
Dataset = Literal["logits", "logits_normed"]

WORDS = ("normed", "no-last", "nonneg", "free")


class LayerOptions(NamedTuple):
    """Which read-outs a strategy looks at, and what its layer weights may be."""

    readout: Literal["raw", "normed"] = "raw"
    """`raw`: ``h_l . W_U``; `normed`: through the model's final norm and head."""
    last: bool = True
    """Whether the last entry, which follows the final norm, is used."""
    constraint: Constraint = "simplex"
    """Weights not negative with sum 1; not negative with any sum; any numbers."""

    @property
    def words(self) -> tuple[str, ...]:
        """The options that are not the default, in the one order that names carry them in."""
        chosen = {self.readout, self.constraint, "last" if self.last else "no-last"}
        return tuple(word for word in WORDS if word in chosen)

    @property
    def suffix(self) -> str:
        """What a name carries of them."""
        return "".join(f"+{word}" for word in self.words)

    @property
    def dataset(self) -> Dataset:
        """The read-out, as caches call it."""
        return "logits_normed" if self.readout == "normed" else "logits"


#: What a name without options has.
NO_OPTIONS = LayerOptions()


def split_options(name: str) -> tuple[str, LayerOptions]:
    """Return a name without its options, and the options."""
    bare, *words = name.split("+")
    if unknown := [word for word in words if word not in WORDS]:
        raise LagerError(f"unknown option {unknown[0]!r} in {name!r}: an option is one of +{', +'.join(WORDS)}")
    if "nonneg" in words and "free" in words:
        raise LagerError(f"{name!r}: weights are either +nonneg or +free; give one of them")
    constraint: Constraint = "nonneg" if "nonneg" in words else "free" if "free" in words else "simplex"
    return bare, LayerOptions("normed" if "normed" in words else "raw", "no-last" not in words, constraint)

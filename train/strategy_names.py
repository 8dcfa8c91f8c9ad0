"""The strategies by name: what each mixes, with which weights, and how a score is read off."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from ..data.errors import LagerError

_LAYER = re.compile(r"layer:(\d{1,5})\Z")


class Strategy(NamedTuple):
    """How one strategy turns a read-out into a score."""

    summary: str
    mixes: Literal["logits", "probabilities"] | None
    """What is averaged over layers; None for baselines, which read no logits."""
    weights: Literal["uniform", "tuned", "final", "layer", "best"] | None
    """Uniform, fitted, or all on one entry: the last of the normed read-out, a named one, the best one."""
    picks: Literal["expectation", "argmax"] | None
    needs_fitting: bool


#: Every strategy with a fixed name; ``layer:N`` comes on top.
STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "vscore": Strategy("final layer, likeliest label", "logits", "final", "argmax", False),
        "e-score": Strategy("final layer, expectation (G-Eval)", "logits", "final", "expectation", False),
        "lager": Strategy("logits averaged over layers, expectation", "logits", "uniform", "expectation", False),
        "lager-tuned": Strategy("logits weighted over layers, expectation", "logits", "tuned", "expectation", True),
        "lager-max": Strategy("logits averaged over layers, likeliest label", "logits", "uniform", "argmax", False),
        "lager-tuned-max": Strategy("logits weighted over layers, likeliest label", "logits", "tuned", "argmax", True),
        "prob": Strategy("probabilities averaged, expectation", "probabilities", "uniform", "expectation", False),
        "prob-tuned": Strategy("probabilities weighted, expectation", "probabilities", "tuned", "expectation", True),
        "prob-max": Strategy("probabilities averaged, likeliest label", "probabilities", "uniform", "argmax", False),
        "prob-tuned-max": Strategy("probabilities weighted, likeliest label", "probabilities", "tuned", "argmax", True),
        "best-layer": Strategy("the single layer best on the training data", "logits", "best", "expectation", True),
        "group-mean": Strategy("baseline: training mean of the item's group", None, None, None, True),
        "length": Strategy("baseline: the prompt's token count", None, None, None, False),
    }
)

#: The ten of the paper's ablation (Table 5), in the order of its reading.
ABLATION: tuple[str, ...] = tuple(STRATEGIES)[:10]

#: Those whose layer weights are the ones of lager-tuned.
TUNED: tuple[str, ...] = tuple(name for name, strategy in STRATEGIES.items() if strategy.weights == "tuned")


def lookup(name: str) -> Strategy:
    """Return the definition of a strategy.

    Raises
    ------
    LagerError
        For a name that is no strategy; it lists the nearest names, or all.
    """
    if (layer := layer_of(name)) is not None:
        return Strategy(f"layer entry {layer} alone, expectation", "logits", "layer", "expectation", False)
    if name in STRATEGIES:
        return STRATEGIES[name]
    known = [*STRATEGIES, "layer:N"]
    if name.startswith("layer"):
        raise LagerError(
            f"unknown strategy {name!r}: a single layer is written layer:N with N from 0, such as layer:12"
        )
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}? All: " if near else "choose from "
    raise LagerError(f"unknown strategy {name!r}: {hint}{', '.join(known)}")


def layer_of(name: str) -> int | None:
    """Return N of ``layer:N``, or None for any other name."""
    match = _LAYER.match(name)
    return int(match[1]) if match else None


def needs_fitting(name: str) -> bool:
    """Return whether a strategy has to see human scores before it can score."""
    return lookup(name).needs_fitting


def expand(names: Iterable[str]) -> list[str]:
    """Return the strategies asked for, each once and in order; ``all`` stands for every fixed name.

    Raises
    ------
    LagerError
        For an unknown name.
    """
    chosen: dict[str, None] = {}
    for name in names:
        for one in STRATEGIES if name == "all" else (name,):
            layer = layer_of(one)
            lookup(one)
            chosen[one if layer is None else f"layer:{layer}"] = None
    return list(chosen)

"""Every strategy, a line each, and how one is found by its name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from ...data.errors import LagerError
from ..aggregator.strategy import Strategy
from .best_layer import BestLayer
from .early import Early
from .final_layer import FinalLayer
from .fold_mean import FoldMean
from .group_mean import GroupMean
from .isotonic import Isotonic
from .length import Length
from .ordinal import Ordinal
from .probe import Probe
from .rank import Rank
from .ridge import Ridge
from .scaled import Scaled
from .shrunk import Shrunk
from .single_layer import SingleLayer
from .tuned import LAGER_TUNED, Tuned
from .uniform import Uniform

#: In the order of tables. A new strategy is a file and a line here.
STRATEGIES: tuple[Strategy, ...] = (
    FinalLayer("vscore", "final layer, likeliest label", picks="argmax"),
    FinalLayer("e-score", "final layer, expectation (G-Eval)"),
    Uniform("lager", "logits averaged over layers, expectation"),
    LAGER_TUNED,
    Uniform("lager-max", "logits averaged over layers, likeliest label", picks="argmax"),
    Tuned("lager-tuned-max", "logits weighted over layers, likeliest label", picks="argmax"),
    Uniform("prob", "probabilities averaged, expectation", mixes="probabilities"),
    Tuned("prob-tuned", "probabilities weighted, expectation", mixes="probabilities"),
    Uniform("prob-max", "probabilities averaged, likeliest label", mixes="probabilities", picks="argmax"),
    Tuned("prob-tuned-max", "probabilities weighted, likeliest label", mixes="probabilities", picks="argmax"),
    SingleLayer(),
    Shrunk(),
    Scaled(),
    Rank(),
    Early(),
    BestLayer(),
    Ridge(),
    Ordinal(),
    Isotonic(),
    FoldMean(),
    Probe(),
    GroupMean(),
    Length(),
)

#: The ten of the paper's ablation (Table 5), in the order of its reading.
ABLATION: tuple[str, ...] = tuple(strategy.key for strategy in STRATEGIES[:10])

_KEY = re.compile("[^:+]*")


def lookup(name: str | Strategy) -> Strategy:
    """Return a strategy by its name, with its options; a strategy itself as it is."""
    if isinstance(name, Strategy):
        return name
    key = _KEY.match(name)
    for strategy in STRATEGIES:
        if key is not None and key[0] == strategy.key and (found := strategy.named(name, lookup)) is not None:
            return found
    raise _unknown(name.split("+", 1)[0])


def strategy_names() -> tuple[str, ...]:
    """Return the names without a colon, in the order of tables: what ``all`` stands for."""
    return tuple(strategy.name for strategy in STRATEGIES if strategy.complete)


def needs_fitting(name: str) -> bool:
    """Return whether a strategy has to see human scores before it can score."""
    return lookup(name).needs_fitting


def expand(names: Iterable[str]) -> list[str]:
    """Return the strategies asked for, each once, in order and as it is written; ``all`` stands for every fixed name.

    Raises
    ------
    LagerError
        For an unknown name.
    """
    asked = (one for name in names for one in (strategy_names() if name == "all" else (name,)))
    return list(dict.fromkeys(lookup(one).name for one in asked))


def _unknown(name: str) -> LagerError:
    """Return the error for a name that is no strategy."""
    if hints := [strategy.hint for strategy in STRATEGIES if strategy.hint and name.startswith(strategy.key)]:
        return LagerError(f"unknown strategy {name!r}: {hints[0]}")
    known = [*strategy_names(), *(form for strategy in STRATEGIES for form in strategy.forms)]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}? All: " if near else "choose from "
    return LagerError(f"unknown strategy {name!r}: {hint}{', '.join(known)}")

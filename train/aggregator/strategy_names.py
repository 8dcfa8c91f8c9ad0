"""The strategies by name: what each reads, with which weights, and how a score is read off."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

from ...data.errors import LagerError
from ..solvers.minimise import Constraint

Preset = Literal["converged", "paper", "release"]
PRESETS: tuple[str, ...] = get_args(Preset)


def check_preset(preset: str) -> None:
    """Raise `LagerError` for a name that is no preset."""
    if preset not in PRESETS:
        raise LagerError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")


_NUMBERED = re.compile(r"(layer|lager-early):(\d{1,5})\Z")
_ISOTONIC = "isotonic:"
_ISOTONIC_BASE = "lager-tuned"


class LayerOptions(NamedTuple):
    """Which read-outs a strategy looks at, and what its layer weights may be."""

    readout: Literal["raw", "normed"] = "raw"
    """`raw`: ``h_l . W_U``; `normed`: through the model's final norm and head."""
    last: bool = True
    """Whether the last entry, which follows the final norm, is used."""
    constraint: Constraint = "simplex"
    """Weights not negative with sum 1; not negative with any sum; any numbers."""

    def suffix(self) -> str:
        """Return the options that are not the default, as names carry them and in one order."""
        words = [
            *(["normed"] if self.readout == "normed" else []),
            *([] if self.last else ["no-last"]),
            *([] if self.constraint == "simplex" else [self.constraint]),
        ]
        return "".join(f"+{word}" for word in words)


class Strategy(NamedTuple):
    """How one strategy turns a read-out into a score."""

    summary: str
    mixes: Literal["logits", "probabilities"] | None
    """What is averaged over layers; None where no layer weights are used."""
    weights: Literal["uniform", "tuned", "final", "layer", "best", "shrunk", "scaled", "rank", "early"] | None
    """Uniform, all on one entry (the last of the normed read-out, a named one, the best one), or fitted, and how."""
    picks: Literal["expectation", "argmax"] | None
    needs_fitting: bool
    reads: Literal["layers", "flattened", "strategy", "hidden", "nothing"] = "layers"
    """Layer weights, one weight per layer and label, another strategy's score, hidden states, or no model at all."""
    number: int | None = None
    """N of ``layer:N``, m of ``lager-early:m``."""
    base: str | None = None
    """What isotonic recalibrates."""
    head: str | None = None
    """What the probe puts on the hidden states."""
    options: LayerOptions = LayerOptions()


def _layers(
    summary: str,
    weights: Literal["uniform", "tuned", "final", "layer", "best", "shrunk", "scaled", "rank", "early"],
    mixes: Literal["logits", "probabilities"] = "logits",
    picks: Literal["expectation", "argmax"] = "expectation",
) -> Strategy:
    """Return a strategy of layer weights."""
    return Strategy(summary, mixes, weights, picks, weights not in {"uniform", "final", "layer"})


#: Every strategy with a fixed name; ``layer:N``, ``lager-early:M``, ``isotonic:NAME``, ``probe:HEAD`` and options come
#: on top.
STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "vscore": _layers("final layer, likeliest label", "final", picks="argmax"),
        "e-score": _layers("final layer, expectation (G-Eval)", "final"),
        "lager": _layers("logits averaged over layers, expectation", "uniform"),
        "lager-tuned": _layers("logits weighted over layers, expectation", "tuned"),
        "lager-max": _layers("logits averaged over layers, likeliest label", "uniform", picks="argmax"),
        "lager-tuned-max": _layers("logits weighted over layers, likeliest label", "tuned", picks="argmax"),
        "prob": _layers("probabilities averaged, expectation", "uniform", "probabilities"),
        "prob-tuned": _layers("probabilities weighted, expectation", "tuned", "probabilities"),
        "prob-max": _layers("probabilities averaged, likeliest label", "uniform", "probabilities", "argmax"),
        "prob-tuned-max": _layers("probabilities weighted, likeliest label", "tuned", "probabilities", "argmax"),
        "lager-shrunk": _layers("lager-tuned pulled towards uniform weights", "shrunk"),
        "lager-scaled": _layers("a temperature and a bias per layer, then weights", "scaled"),
        "lager-rank": _layers("layer weights fitted to rank correlation", "rank"),
        "lager-early": _layers("lager-tuned on the first entries only, as few as do", "early"),
        "best-layer": _layers("the single layer best on the training data", "best"),
        "ridge": Strategy("ridge regression on all layers and labels", None, None, None, True, "flattened"),
        "ordinal": Strategy("cumulative logit on all layers and labels", None, None, "expectation", True, "flattened"),
        "isotonic": Strategy(
            "monotone recalibration of lager-tuned", None, None, None, True, "strategy", base=_ISOTONIC_BASE
        ),
        "probe": Strategy("pooled hidden states, reduced, ridge head", None, None, None, True, "hidden", head="ridge"),
        "group-mean": Strategy("baseline: training mean of the item's group", None, None, None, True, "nothing"),
        "length": Strategy("baseline: the prompt's token count", None, None, None, False, "nothing"),
    }
)

#: Heads of the probe; ``probe`` alone has the first.
PROBE_HEADS = ("ridge", "ordinal", "logistic")

#: The ten of the paper's ablation (Table 5), in the order of its reading.
ABLATION: tuple[str, ...] = tuple(STRATEGIES)[:10]

#: Those whose layer weights are the ones of lager-tuned.
TUNED: tuple[str, ...] = tuple(name for name, strategy in STRATEGIES.items() if strategy.weights == "tuned")


def lookup(name: str) -> Strategy:
    """Return the definition of a strategy.

    Raises
    ------
    LagerError
        For a name that is no strategy, with the nearest names, or all; and for options that it cannot have.
    """
    if name.startswith(_ISOTONIC):
        return _isotonic_on(name)
    bare, options = split_options(name)
    strategy = _bare(bare)
    refused = _refused(strategy, options)
    if refused is not None:
        raise LagerError(f"{name!r}: {bare} {refused}; leave the option out")
    return strategy._replace(options=options)


def canonical(name: str) -> str:
    """Return the one way to write a strategy's name: ``layer:02`` is ``layer:2``, options come in one order."""
    strategy = lookup(name)
    if strategy.reads == "strategy":
        base = canonical(strategy.base or _ISOTONIC_BASE)
        return "isotonic" if base == _ISOTONIC_BASE else f"{_ISOTONIC}{base}"
    bare = name.split("+", 1)[0].partition(":")[0]
    if strategy.reads == "hidden":
        return bare if strategy.head == PROBE_HEADS[0] else f"{bare}:{strategy.head}"
    return f"{bare}{'' if strategy.number is None else f':{strategy.number}'}{strategy.options.suffix()}"


def layer_of(name: str) -> int | None:
    """Return N of ``layer:N``, or None for any other name."""
    match = _NUMBERED.match(name.split("+", 1)[0])
    return int(match[2]) if match and match[1] == "layer" else None


def needs_fitting(name: str) -> bool:
    """Return whether a strategy has to see human scores before it can score."""
    return lookup(name).needs_fitting


def fitted_as(name: str) -> str:
    """Return the strategy whose fit a strategy uses: lager-tuned's, with the same options, for the tuned ones."""
    strategy = lookup(name)
    return f"lager-tuned{strategy.options.suffix()}" if strategy.weights == "tuned" else name


def is_bound_to_scale(name: str) -> bool:
    """Return whether a strategy learns scores of one scale, where layer weights apply to any."""
    return name.startswith("group-mean") or lookup(name).reads in {"flattened", "strategy", "hidden"}


def expand(names: Iterable[str]) -> list[str]:
    """Return the strategies asked for, each once and in order; ``all`` stands for every fixed name.

    Raises
    ------
    LagerError
        For an unknown name.
    """
    asked = (one for name in names for one in (STRATEGIES if name == "all" else (name,)))
    return list(dict.fromkeys(canonical(one) for one in asked))


def _bare(name: str) -> Strategy:
    """Return the definition of a name without options."""
    if match := _NUMBERED.match(name):
        number = int(match[2])
        if match[1] == "layer":
            return _layers(f"layer entry {number} alone, expectation", "layer")._replace(number=number)
        return _layers(f"lager-tuned on entries 0 to {number}", "early")._replace(number=number)
    if name in STRATEGIES:
        return STRATEGIES[name]
    if name.startswith("probe:") and (head := name.removeprefix("probe:")) in PROBE_HEADS:
        picks: Literal["expectation"] | None = None if head == "ridge" else "expectation"
        summary = f"pooled hidden states, reduced, {head} head"
        return STRATEGIES["probe"]._replace(summary=summary, picks=picks, head=head)
    if name.startswith("layer"):
        raise LagerError(
            f"unknown strategy {name!r}: a single layer is written layer:N with N from 0, such as layer:12"
        )
    known = [*STRATEGIES, "layer:N", "lager-early:M", "isotonic:NAME", *(f"probe:{head}" for head in PROBE_HEADS)]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}? All: " if near else "choose from "
    raise LagerError(f"unknown strategy {name!r}: {hint}{', '.join(known)}")


def _isotonic_on(name: str) -> Strategy:
    """Return the definition of ``isotonic:NAME``."""
    base = name.removeprefix(_ISOTONIC)
    if lookup(base).reads == "strategy":
        raise LagerError(f"{name!r}: isotonic on isotonic changes nothing; name the strategy to recalibrate")
    summary = f"monotone recalibration of {base}"
    return STRATEGIES["isotonic"]._replace(summary=summary, base=base)


def _refused(strategy: Strategy, options: LayerOptions) -> str | None:
    """Return why a strategy cannot have these options, or None."""
    if options == LayerOptions():
        return None
    if strategy.reads == "strategy":
        return "takes its options from what it recalibrates, as in isotonic:lager-tuned+normed"
    if strategy.reads in {"nothing", "hidden"}:
        return "reads no score-token logits"
    if strategy.weights == "final":
        return "reads the last normed entry by definition"
    if not options.last and strategy.weights == "layer":
        return "uses one entry only"
    fits_weights = strategy.needs_fitting and strategy.reads == "layers" and strategy.weights != "best"
    if options.constraint != "simplex" and not fits_weights:
        return "fits no layer weights that could be constrained"
    return None


WORDS = ("normed", "no-last", "nonneg", "free")


def split_options(name: str) -> tuple[str, LayerOptions]:
    """Return a name without its options, and the options.

    Raises
    ------
    LagerError
        For a word that is no option, or two that contradict each other.
    """
    bare, *words = name.split("+")
    if unknown := [word for word in words if word not in WORDS]:
        raise LagerError(f"unknown option {unknown[0]!r} in {name!r}: an option is one of +{', +'.join(WORDS)}")
    if "nonneg" in words and "free" in words:
        raise LagerError(f"{name!r}: weights are either +nonneg or +free; give one of them")
    constraint: Constraint = "nonneg" if "nonneg" in words else "free" if "free" in words else "simplex"
    return bare, LayerOptions("normed" if "normed" in words else "raw", "no-last" not in words, constraint)

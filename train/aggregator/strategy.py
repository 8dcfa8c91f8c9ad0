"""What a strategy is: one object that says what it needs, and fits, checks and applies what it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...data.cache.readouts import Readouts
from ...data.errors import LagerError
from ...data.scale import Scale
from .layer_options import NO_OPTIONS, Dataset, LayerOptions, split_options
from .mixing import expected_value, most_likely_value

Need = Literal["labels", "logits", "hidden", "groups", "lengths"]


class Learnt(NamedTuple):
    """What a fit returns, the parts of an aggregator that the strategy decides."""

    weights: tuple[float, ...] | None
    parameters: Mapping[str, Any]
    training: Mapping[str, Any]


class Fitted(Protocol):
    """What an aggregator offers the strategy that scores by it; see `Aggregator`."""

    @property
    def preset(self) -> str:
        """How it was fitted."""

    @property
    def scale(self) -> Scale:
        """The scale of the training data."""

    @property
    def n_layers(self) -> int:
        """L; the layer axis has L + 1 entries."""

    @property
    def weights(self) -> tuple[float, ...] | None:
        """One number per layer entry."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What else was learnt."""


@dataclass(frozen=True)
class Strategy:
    """How read-outs become scores; each strategy is a subclass in a file of its own.

    A property that is the same for every strategy of a class is set there as a plain attribute, ``bound_to_scale =
    True``. What a class leaves alone is true of a baseline: no layer weights, no options, no distribution.

    Parameters
    ----------
    key : str
        What its name begins with.
    summary : str
        What it does, in a few words.
    options : LayerOptions
        What stands behind the name.
    """

    key: str
    summary: str
    options: LayerOptions = NO_OPTIONS

    # Its name

    @property
    def argument(self) -> str:
        """What stands behind the colon of its name, such as N of ``layer:N``."""
        return ""

    @property
    def name(self) -> str:
        """The one way to write it."""
        return f"{self.key}{self.argument and f':{self.argument}'}{self.options.suffix}"

    @property
    def complete(self) -> bool:
        """Whether it can be used without an argument, and so belongs to ``all``."""
        return True

    @property
    def forms(self) -> tuple[str, ...]:
        """How names with an argument are written, for messages."""
        return ()

    @property
    def hint(self) -> str:
        """What to say of a name that begins like this one and is none."""
        return ""

    @property
    def takes(self) -> frozenset[str]:
        """The options it may have."""
        return frozenset()

    @property
    def refusal(self) -> str:
        """Why it cannot have other options."""
        return "reads no score-token logits"

    def with_argument(self, text: str) -> Strategy | None:
        """Return what a name with an argument means, None where it means nothing."""
        return None

    def named(self, name: str, find: Callable[[str], Strategy]) -> Strategy | None:
        """Return the strategy of a name that begins with this key, None where there is none."""
        bare, options = split_options(name)
        argument = bare.removeprefix(self.key)
        found = self.with_argument(argument[1:]) if argument else self if self.complete else None
        if found is None:
            return None
        if not found.takes.issuperset(options.words):
            raise LagerError(f"{name!r}: {bare} {found.refusal}; leave the option out")
        return replace(found, options=options)

    # What it needs

    @property
    def needs(self) -> frozenset[Need]:
        """What it cannot do without: human scores, score-token logits, hidden states, groups, prompts' lengths."""
        return frozenset()

    @property
    def needs_fitting(self) -> bool:
        """Whether it has to see human scores before it can score."""
        return "labels" in self.needs

    @property
    def reads_layers(self) -> bool:
        """Whether it reads what a model said, and so needs as many layers as it was fitted on."""
        return bool(self.needs & {"logits", "hidden"})

    @property
    def dataset(self) -> Dataset | None:
        """Which read-out it looks at; None where it looks at neither."""
        return self.options.dataset if "logits" in self.needs else None

    @property
    def read_to_fit(self) -> tuple[Dataset, ...]:
        """The read-outs that a fit has in memory, where it does not stream."""
        return (self.dataset or "logits",)

    def streams(self, preset: str) -> bool:
        """Return whether it is fitted to read-outs on disk as they are, without all of them in memory."""
        return not self.needs_fitting

    @property
    def chooses_by_clusters(self) -> bool:
        """Whether it leaves clusters out to choose its settings, and so needs two."""
        return False

    # What it is

    @property
    def fitted_as(self) -> str:
        """The strategy whose fit it uses."""
        return self.name

    @property
    def has_presets(self) -> bool:
        """Whether presets other than converged are known to it."""
        return not self.needs_fitting

    @property
    def bound_to_scale(self) -> bool:
        """Whether it learns scores of one scale, where layer weights apply to any."""
        return False

    @property
    def on_scale(self) -> bool:
        """Whether its scores are scores on the human scale."""
        return True

    @property
    def stops_early(self) -> bool:
        """Whether it is made to read the first layers only, so that the others need not be computed."""
        return False

    @property
    def picks(self) -> Literal["expectation", "argmax"] | None:
        """How a score is read from its distribution over the labels; None where it has none."""
        return None

    # Fitting

    def untrained_weights(self, n_layers: int, preset: str) -> tuple[float, ...] | None:
        """Return the layer weights of a strategy that needs no fitting."""
        return None

    def fit(self, train: Readouts, *, preset: str, seed: int) -> Learnt:
        """Learn from labelled items."""
        raise NotImplementedError(f"{type(self).__name__} needs fitting and has no fit")

    def check(self, fitted: Fitted) -> None:
        """Raise `LagerError` unless the parts of an aggregator are such as this strategy scores by."""
        if fitted.weights is not None:
            raise LagerError(f"strategy {self.name} has no layer weights, got {len(fitted.weights)}")

    def doubt(self, fitted: Fitted, n: int) -> str | None:
        """Return why a fit to so few items is to be mistrusted."""
        return None

    def members(self, fitted: Fitted) -> Sequence[Any]:
        """Return the aggregators that it is the mean of; none for most."""
        return ()

    def told(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what `lager train` tells of what was learnt, by title."""
        return {}

    # Applying

    def predict(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return one score per item, shape (n_items,)."""
        return self.pick(self.predict_proba(fitted, readouts), readouts.scale)

    def predict_proba(self, fitted: Fitted, readouts: Readouts) -> NDArray[np.float64]:
        """Return the distribution over the labels, shape (n_items, n_labels)."""
        raise LagerError(f"strategy {self.name} has no distribution over the labels: use predict")

    def pick(self, proba: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
        """Return the scores that are read from distributions over the labels, shape (n_items,)."""
        return (expected_value if self.picks == "expectation" else most_likely_value)(proba, scale.array)

    def mixture(self, fitted: Fitted) -> tuple[object, ...] | None:
        """Return what decides `predict_proba`, equal for strategies that differ in what they pick."""
        return None

    def last_entry(self, fitted: Fitted) -> int:
        """Return the last entry of the layer axis that a score depends on: the number of blocks to run.

        Only strategies that are made to read few layers have less than all; weights of others may end in zeros by
        chance.
        """
        return fitted.n_layers

    def poolings(self, fitted: Fitted) -> tuple[str, ...]:
        """Return the poolings of hidden states that a score depends on."""
        return ()

    def logits(self, fitted: Fitted, readouts: Readouts) -> NDArray[Any]:
        """Return the read-outs that it looks at, after checking that they are of as many layers."""
        found = readouts.logits.shape[1] - 1
        if found != fitted.n_layers:
            raise LagerError(
                f"the aggregator ({self.name}) was fitted on {fitted.n_layers} layers and the read-outs have "
                f"{found}: train it on read-outs of the same model"
            )
        return readouts.logits_normed if self.dataset == "logits_normed" else readouts.logits

"""Adam over shuffled batches, as the paper and its released code train; in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .mixture_loss import MixtureLoss

# torch.optim.Adam's defaults.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
# torch's ReduceLROnPlateau counts an epoch as better when its loss is below best * (1 - threshold).
_THRESHOLD = 1e-4


class AdamSettings(NamedTuple):
    """The paper's training settings (section 4, implementation details)."""

    learning_rate: float = 0.01
    batch_size: int = 4
    epochs: int = 1
    plateau_factor: float = 0.5
    plateau_patience: int = 1
    min_learning_rate: float = 1e-3


class _Plateau:
    """ReduceLROnPlateau, stepped once per epoch on the mean batch loss; with one epoch it never acts."""

    def __init__(self, settings: AdamSettings) -> None:
        self.settings = settings
        self.learning_rate = settings.learning_rate
        self._best = np.inf
        self._bad_epochs = 0

    def step(self, epoch_loss: float) -> None:
        if epoch_loss < self._best * (1.0 - _THRESHOLD):
            self._best, self._bad_epochs = epoch_loss, 0
        else:
            self._bad_epochs += 1
        if self._bad_epochs > self.settings.plateau_patience:
            lowered = self.learning_rate * self.settings.plateau_factor
            self.learning_rate = max(lowered, self.settings.min_learning_rate)
            self._bad_epochs = 0


def adam(
    loss: Callable[[NDArray[np.float64], MixtureLoss], tuple[float, NDArray[np.float64]]],
    items: MixtureLoss,
    start: NDArray[np.float64],
    *,
    settings: AdamSettings,
    seed: int,
) -> NDArray[np.float64]:
    """Return the parameters after `settings.epochs` passes over the items.

    Parameters
    ----------
    loss : callable
        ``loss(parameters, batch)`` returns the batch's mean loss and its gradient.
    items : MixtureLoss
        All training items; batches are taken from it in a torch DataLoader's order, the last one may be smaller.
    start : ndarray of shape (n_parameters,)
    seed : int
        What ``torch.manual_seed`` would be given.
    """
    parameters = start.astype(np.float64)
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    schedule = _Plateau(settings)
    orders = dataloader_orders(len(items.human), seed=seed)
    step = 0
    for _ in range(settings.epochs):
        order = next(orders)
        losses = []
        for first in range(0, len(order), settings.batch_size):
            value, gradient = loss(parameters, items.take(order[first : first + settings.batch_size]))
            losses.append(value)
            step += 1
            mean = _BETA_1 * mean + (1.0 - _BETA_1) * gradient
            square = _BETA_2 * square + (1.0 - _BETA_2) * gradient**2
            scale = np.sqrt(square / (1.0 - _BETA_2**step)) + _EPSILON
            parameters = parameters - schedule.learning_rate * (mean / (1.0 - _BETA_1**step)) / scale
        schedule.step(float(np.mean(losses)))
    return parameters


def dataloader_orders(n_items: int, *, seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield, epoch by epoch, the row order of ``DataLoader(shuffle=True)`` after ``torch.manual_seed(seed)``.

    Torch's CPU generator is the Mersenne twister that numpy has too. Each epoch draws two 64-bit numbers from it:
    a base seed for the workers, then the sampler's seed, whose low 32 bits start a second twister that
    drives a Fisher-Yates shuffle. Checked against torch 2.13.

    Yields
    ------
    ndarray of shape (n_items,)
    """
    words = _words(seed)
    while True:
        _draw_64(words)
        sampler = _words(_draw_64(words) & 0xFFFFFFFF)
        order = np.arange(n_items)
        for i in range(n_items - 1):
            j = i + next(sampler) % (n_items - i)
            order[i], order[j] = order[j], order[i]
        yield order


def _words(seed: int) -> Iterator[int]:
    """Yield the twister's 32-bit words."""
    # The legacy class is needed: only its integer seeding is that of torch.
    random = np.random.RandomState(seed & 0xFFFFFFFF)
    while True:
        yield from random.randint(0, 2**32, size=1024, dtype=np.uint32).tolist()


def _draw_64(words: Iterator[int]) -> int:
    """Return one non-negative 64-bit draw, high word first."""
    return (next(words) << 32 | next(words)) & (2**63 - 1)

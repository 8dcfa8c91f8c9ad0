"""Small index tensors, moved to each device once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def on_device(*tensors: Tensor) -> Callable[[torch.device], tuple[Tensor, ...]]:
    """Return a function that gives the tensors on a device.

    Copying to a GPU waits for the work queued there, so a copy in each block would leave it idle in between.
    """
    moved: dict[torch.device, tuple[Tensor, ...]] = {}

    def on(device: torch.device) -> tuple[Tensor, ...]:
        if device not in moved:
            moved[device] = tuple(tensor.to(device) for tensor in tensors)
        return moved[device]

    return on

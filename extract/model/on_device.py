"""Small tensors on their way to a device and back, without waiting for the work that is queued there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a CPU tensor's copy on a device.

    A plain copy to a GPU waits for all that is queued there, so the next pass could not be prepared meanwhile. CUDA
    has read an ordinary tensor when the call returns, so that it may change or go; other devices promise nothing.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def on_device(*tensors: Tensor) -> Callable[[torch.device], tuple[Tensor, ...]]:
    """Return a function that gives CPU tensors on a device, copied there once."""
    moved: dict[torch.device, tuple[Tensor, ...]] = {}

    def on(device: torch.device) -> tuple[Tensor, ...]:
        if device not in moved:
            moved[device] = tuple(to_device(tensor, device) for tensor in tensors)
        return moved[device]

    return on


def fetch(tensors: Sequence[Tensor]) -> Callable[[], list[NDArray[np.float32]]]:
    """Have the numbers of tensors brought to the host, and return what waits for them: float32 arrays.

    What is queued on the device after this call is not waited for.
    """
    if any(tensor.device.type != "cuda" for tensor in tensors):
        arrays = [tensor.float().cpu().numpy() for tensor in tensors]
        return lambda: arrays
    hosts = [torch.empty(tensor.shape, dtype=torch.float32, pin_memory=True) for tensor in tensors]
    events: list[Any] = [torch.cuda.Event() for _ in tensors]  # type: ignore[no-untyped-call]
    for host, tensor, event in zip(hosts, tensors, events, strict=True):
        host.copy_(tensor.float(), non_blocking=True)
        event.record(torch.cuda.current_stream(tensor.device))

    def wait() -> list[NDArray[np.float32]]:
        for event in events:
            event.synchronize()
        return [host.numpy().copy() for host in hosts]  # the pinned memory is used again

    return wait

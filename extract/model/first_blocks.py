"""The first blocks of a model alone: for an aggregator that reads no layer past them.

The rest is neither loaded nor run. What a block is may depend on how many there are (some share the keys and values of
others, counted from the end), so the blocks that are kept are compared with those of the whole model, built without
weights; where they differ the whole model is needed.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ...data.errors import LagerError


class BlocksDifferError(LagerError):
    """The first blocks of a model are others when the rest is missing: it has to be read whole."""


_PLAIN = (bool, int, float, str, type(None))
_BLOCK_KEY = re.compile(r"\.(\d+)\.")


def shortened_config(config: Any, n_blocks: int) -> Any:
    """Return a model's configuration with its first blocks only; entries with one value a block are cut too.

    Raises `BlocksDifferError` when the configuration does not say how many blocks there are.
    """
    short = copy.deepcopy(config)
    text = short.get_text_config()
    total = number_of_blocks(config)
    if total is None:
        raise BlocksDifferError("the configuration has no num_hidden_layers: which blocks are first cannot be told")
    for part in {id(text): text, id(short): short}.values():
        if getattr(part, "num_hidden_layers", None) == total:
            part.num_hidden_layers = n_blocks
        for name, value in list(vars(part).items()):
            if isinstance(value, list | tuple) and len(value) == total:
                setattr(part, name, value[:n_blocks])
    return short


def number_of_blocks(config: Any) -> int | None:
    """Return how many blocks a configuration says there are."""
    total = getattr(config.get_text_config(), "num_hidden_layers", None)
    return total if isinstance(total, int) else None


def check_same_blocks(model: Any, config: Any, layers: str, *, trust_remote_code: bool = False) -> None:
    """Compare a model of the first blocks with the whole one.

    Raises `BlocksDifferError` when a module of the blocks that are kept is another one, or has another setting or
    shape, in the whole model.
    """
    import transformers

    auto_model: Any = transformers.AutoModelForCausalLM
    with torch.device("meta"):
        whole = auto_model.from_config(config, trust_remote_code=trust_remote_code)
    n_blocks = len(model.get_submodule(layers))
    theirs = whole.eval().get_submodule(layers)
    for number in range(n_blocks):
        mine = _described(model.get_submodule(layers)[number])
        if mine != _described(theirs[number]):
            raise BlocksDifferError(
                f"block {number} of {type(model).__name__} is another one when only the first {n_blocks} are loaded"
            )


def _described(block: nn.Module) -> list[tuple[str, str, dict[str, Any], dict[str, tuple[int, ...]]]]:
    """Return path, class, plain settings and weight shapes of every module in a block."""
    return [
        (
            path,
            type(module).__name__,
            {k: v for k, v in vars(module).items() if isinstance(v, _PLAIN) and not k.startswith("_")},
            {name: tuple(weight.shape) for name, weight in module.named_parameters(recurse=False)},
        )
        for path, module in block.named_modules()
    ]


def unused_before(keys: Iterable[str], n_blocks: int) -> list[str]:
    """Return the weights of a checkpoint that were left out although they are not of a later block."""
    return sorted(key for key in keys if not any(int(number) >= n_blocks for number in _BLOCK_KEY.findall(key)))

"""What a model's config.json holds that can change the numbers of a forward pass.

Every setting counts (rope, norms' eps, windows, chunks, caps, factors, shapes, activations, quantisation) but those
that are known to change nothing here, so that what a new architecture adds counts too.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ...data.errors import LagerError
from ...data.files.json_text import parse_json

_NO_NUMBERS = frozenset({
    # names, versions, classes; the dtype is part of the identity by itself
    "architectures", "auto_map", "dtype", "name_or_path", "tokenizer_class", "torch_dtype", "transformers_version",
    "unsloth_fixed", "unsloth_version",
    # labels and heads of other tasks
    "finetuning_task", "id2label", "label2id", "problem_type", "task_specific_params",
    # what a forward pass gives back, and where texts begin and end
    "bos_token_id", "decoder_start_token_id", "do_sample", "eos_token_id", "max_length", "num_beams",
    "output_attentions", "output_hidden_states", "return_dict", "sep_token_id", "torchscript", "use_cache",
    # of training alone
    "gradient_checkpointing", "initializer_factor", "initializer_range", "layerdrop", "output_router_logits",
    "router_aux_loss_coef",
})  # fmt: skip
_DROPOUT = ("dropout", "pdrop", "dropout_prob", "dropout_rate")


def config_settings(config: Path) -> dict[str, Any]:
    """Return the settings of a config.json that count, at any depth."""
    return counting(read_config(config))


def counting(settings: dict[str, Any]) -> dict[str, Any]:
    """Return those of a model's settings that count, at any depth."""
    return dict(_counting(settings))


def read_config(path: Path) -> dict[str, Any]:
    """Return a JSON object that comes with a model."""
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise LagerError(f"{path} is not a model's configuration: expected a JSON object")
    return content


def _counting(value: Any) -> Any:
    """Return a value without what cannot change numbers; infinities, which JSON has not, as text."""
    if isinstance(value, dict):
        return {name: _counting(below) for name, below in value.items() if _counts(name)}
    if isinstance(value, list):
        return [_counting(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _counts(name: str) -> bool:
    """Return whether a setting of this name can change numbers."""
    return not (name in _NO_NUMBERS or name.startswith("_") or name.endswith(_DROPOUT))

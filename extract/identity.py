"""What a cache's fingerprint is made of: everything that changes the numbers, nothing that does not."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from ..data.items import Items
from .judge import Judge
from .prompts import PromptFormat
from .score_tokens import ScoreTokens

_LIBRARIES = ("lager", "torch", "transformers", "tokenizers", "numpy")


def cache_identity(
    judge: Judge, prompt_format: PromptFormat, items: Items, tokens: ScoreTokens, *, batch_tokens: int
) -> dict[str, Any]:
    """Return the identity that a cache writer takes.

    Returns
    -------
    dict
        ``inputs`` (hashed to the fingerprint), ``readout_inputs`` (hashed to the read-out id that an aggregator
        depends on), ``scale``, and ``recorded`` (kept, not hashed).
    """
    hashes = judge.checkpoint.hashes()
    readout = readout_contract(judge)
    scale = prompt_format.scale.as_json()
    inputs = {
        **hashes,
        "prompt": _prompt_inputs(prompt_format, items),
        "scale": {
            **scale,
            "token_ids": list(tokens.label_ids),
            "prefix_token_ids": list(tokens.prefix_ids),
            "separator": tokens.sep,
        },
        "condition": {"name": "direct"},
        "readout": readout,
        "dtype": judge.dtype,
        "quantization": None,
        "attention": judge.attention,
        "backend": "transformers",
    }
    recorded = {
        "model": judge.checkpoint.name,
        "revision": judge.checkpoint.revision,
        "architecture": type(judge.model).__name__,
        "modules": judge.parts.paths,
        "devices": judge.devices,
        "batch_tokens": batch_tokens,
        "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }
    readout_inputs = {"weights": hashes["weights"], "readout": readout, "dtype": judge.dtype}
    return {"inputs": inputs, "readout_inputs": readout_inputs, "scale": scale, "recorded": recorded}


def readout_contract(judge: Judge) -> dict[str, Any]:
    """Return what the read-outs are, with the bias, scale and cap of this model's head."""
    head = judge.parts.head
    return {
        "version": 1,
        "logits": "h_l . W_U[M]",
        "logits_normed": "cap(scale * (norm(h_l) . W_U[M] + bias))",
        "entries": "embedding output, block outputs, the last after the final norm",
        "n_layers": judge.n_layers,
        "bias": head.bias is not None,
        "scale": head.scale,
        "cap": head.cap,
        "projection": judge.parts.projection is not None,
    }


def _prompt_inputs(prompt_format: PromptFormat, items: Items) -> dict[str, Any]:
    chat = prompt_format.chat
    template = prompt_format.template if items.kind == "fields" else None
    return {
        "kind": items.kind,
        "template": None if template is None else template.text,
        "chat_template": None if chat is None else chat.template,
        "chat_args": None if chat is None else dict(chat.args),
        "system": prompt_format.system,
        "answer_prefix": prompt_format.answer_prefix,
        "truncate_field": prompt_format.truncate_field,
        "max_field_tokens": prompt_format.max_field_tokens,
    }

"""What a cache's fingerprint is made of: everything that changes the numbers, nothing that does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...data.items.lazy_items import ItemSource
from ..model.config_settings import config_settings, counting
from ..model.judge import Judge
from ..prompts.chat import own_template
from ..prompts.notices import n_with_plain_special_tokens
from ..prompts.prompt_format import PromptFormat
from .planner import Planner
from .versions import library_versions


def cache_identity(
    judge: Judge, prompt_format: PromptFormat, items: ItemSource, planner: Planner, *, batch_tokens: int,
    poolings: Sequence[str] = (), hashes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the identity that a cache writer takes."""
    hashes = judge.checkpoint.hashes() if hashes is None else hashes
    readout = readout_contract(judge)
    scale = prompt_format.scale.as_json()
    inputs: dict[str, Any] = {
        **hashes,
        "prompt": _prompt_inputs(prompt_format, items),
        "scale": {**scale, **_score_tokens(planner)},
        "condition": planner.condition.as_json(planner.stop_ids),
        "readout": readout,
        "dtype": judge.dtype,
        "quantization": judge.stored,
        "attention": judge.attention,
        "backend": "transformers",
    }
    recorded = {
        "model": judge.checkpoint.public_name,
        "revision": judge.checkpoint.revision,
        "trust_remote_code": judge.checkpoint.runs_code,
        "architecture": type(judge.model).__name__,
        "modules": judge.parts.paths,
        "devices": judge.devices,
        "batch_tokens": batch_tokens,
        "versions": library_versions(judge),
    }
    if n_plain := n_with_plain_special_tokens(planner.settled.texts):
        recorded["special_tokens_as_text"] = {"prompts": n_plain, "of": len(planner.settled)}
    if poolings:
        inputs["hidden"] = list(poolings)
    return {"inputs": inputs, "readout_inputs": readout_inputs(judge, hashes), "scale": scale, "recorded": recorded}


def readout_inputs(judge: Judge, hashes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an aggregator depends on."""
    inputs = {
        "weights": hashes["weights"],
        "readout": readout_contract(judge),
        "dtype": judge.dtype,
        "config": _settings(judge),
    }
    if judge.quantization is not None:
        inputs["quantization"] = judge.quantization
    if code := {name: sha for name, sha in hashes["config"].items() if name != "config.json"}:
        inputs["code"] = code
    return inputs


def _settings(judge: Judge) -> dict[str, Any]:
    """Return the settings of a model that count: of its config.json, or what a GGUF file's header became."""
    if judge.checkpoint.gguf is None:
        return config_settings(judge.checkpoint.config["config.json"])
    return counting(json.loads(judge.model.config.to_json_string(use_diff=False)))


def _score_tokens(planner: Planner) -> dict[str, Any]:
    """Return what the fingerprint holds of the score tokens."""
    if planner.forms is not None:
        # A row's dataset `label_form` says which of these it was read with.
        return {"token_ids_of_forms": [list(form) for form in planner.forms.ids]}
    tokens = planner.tokens
    return {
        "token_ids": list(tokens.label_ids),
        "prefix_token_ids": list(tokens.prefix_ids),
        "separator": tokens.sep,
    }


def readout_contract(judge: Judge) -> dict[str, Any]:
    """Return what the read-outs are, with the bias, scale and cap of this model's head."""
    head = judge.parts.head
    return {
        "version": 1,
        "logits": "h_l . W_U[M]",
        "logits_normed": "cap(scale * (norm(h_l) . W_U[M] + bias))",
        "entries": "embedding output, block outputs, the last after the final norm",
        "n_layers": judge.total_blocks or judge.n_layers,
        "bias": head.bias is not None,
        "scale": head.scale,
        "cap": head.cap,
        "projection": judge.parts.projection is not None,
    }


def _prompt_inputs(prompt_format: PromptFormat, items: ItemSource) -> dict[str, Any]:
    """Return what the fingerprint holds of the prompts."""
    chat = prompt_format.chat
    used = None if chat is None else chat.template
    template = prompt_format.template if items.kind == "fields" else None
    return {
        "kind": items.kind,
        "template": None if template is None else template.text,
        "chat_template": used,
        "chat_args": None if chat is None else dict(chat.args),
        "system": prompt_format.options.system,
        "answer_prefix": prompt_format.options.answer_prefix or "",
        "truncate_field": prompt_format.options.truncate_field,
        "max_field_tokens": prompt_format.options.max_field_tokens,
        # Written where they make a difference, so that earlier caches keep their fingerprints.
        **({"chat_template_given": True} if used != own_template(prompt_format.tokenizer) else {}),
        **({"allow_special_tokens": True} if prompt_format.options.allow_special_tokens else {}),
    }

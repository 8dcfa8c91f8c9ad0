"""Every family of language models in the installed transformers, tiny and random: read, refused in a line, or neither.

    python benchmarks/attacks/families.py [FAMILY ...] [--log families.json]

Causal LMs first; then models that answer texts with an encoder, and models with images, which are to be refused.

Sizes of a family's default configuration are cut by the names that they have; few families need more than that
(`CHANGES`). What cannot be built so is listed, and counts as not tried.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from lager.data.errors import LagerError
from lager.extract.extractor import extract_features
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.tiny_models import VOCABULARY, tiny_tokenizer

BLOCKS, LARGEST = 4, 40_000_000
# A setting of a configuration gets the first value whose pattern its whole name matches.
SIZES: list[tuple[str, int]] = [
    (r"qk_rope_head_dim|rotary_dim|rope_dim", 4),
    (r"qk_head_dim", 12),
    (r"(.*_)?vocab_size(_.*)?|codebook_size", VOCABULARY),
    (r"num_hidden_layers|n_layers?|num_layers|(encoder|decoder|num_encoder|num_decoder)_layers|depth|layers", BLOCKS),
    (r"num_key_value_heads|.*_kv_heads|num_global_key_value_heads|linear_num_key_heads", 2),
    (r"(.*_)?(num_)?(attention_|query_|value_)?heads|n_heads?|num_attn_heads|.*_n_heads?", 4),
    (r"(.*_)?head_dim|head_size|d_head|attention_head_size|.*_head_dim|d_kv", 8),
    (r".*lora_rank|.*_lora_dim|.*_rank", 8),
    (r"(.*_)?(num|n)_(local_|routed_|moe_)?experts|moe_num_experts|num_routed_experts", 4),
    (r"num_experts_per_tok(en)?|moe_topk|moe_top_k|top_k|moe_k|num_selected_experts", 2),
    (r"n_group|topk_group|n_shared_experts|num_shared_experts", 1),
    (r"moe_intermediate_size|.*expert.*intermediate.*|expert_dim|.*shared_expert.*size", 24),
    (r"(.*_)?intermediate_size(_.*)?|(.*_)?ffn_(hidden_)?(dim|size)|d_ff|n_inner|dff|dim_ff|feed_forward.*", 64),
    (r"(text_|vision_|mamba_)?hidden_size|d_model|n_embd|emb_dim|embed_dim|word_embed_proj_dim|embedding_size|dim|"
     r"d_embed|lru_width|input_embedding_size|hidden_dim", 32),
    (r"(mamba_)?(d_)?state(_size)?|ssm_state_size|mamba_d_state", 8),
    (r"n_positions|max_position_embeddings|n_ctx|max_seq_len|max_source_positions|max_target_positions", 256),
    (r"image_size", 28),
    (r"patch_size", 14),
    (r"sliding_window|attention_window_size|attention_chunk_size", 8),
]  # fmt: skip
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_ssm": 64, "mamba_n_groups": 1}
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
CHANGES: dict[str, dict[str, Any]] = {
    "bamba": _MAMBA,
    "falcon_h1": _MAMBA,
    "granitemoehybrid": _MAMBA,
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 1},
    "nemotron": {"num_key_value_heads": 4},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "ministral": {"head_dim": 8},
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8.0}},
    "deepseek_v2": {"n_routed_experts": 4, "num_experts_per_tok": 2, "first_k_dense_replace": 1},
    "bailing_hybrid": {"n_group": 1, "topk_group": 1},
    "dots1": {
        "n_routed_experts": 4, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "moe_intermediate_size": 24,
        "n_shared_experts": 1,
    },
    "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"]},
    "cohere_compass_text": {"rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE}},
    "gemma3n_text": {"num_kv_shared_layers": 0, "activation_sparsity_pattern": [0.0] * BLOCKS},
    "gemma4_assistant": {"hidden_size_per_layer_input": 0},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [16, 16]},
    "zamba2": {
        "attention_hidden_size": 64, "attention_head_dim": 16, "n_mamba_heads": 8, "mamba_headdim": 8,
        "layers_block_type": ["mamba", "mamba", "hybrid", "mamba"], "num_mem_blocks": 1,
    },
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}  # fmt: skip


def classes() -> dict[str, Any]:
    """Return the class that builds each family; causal LMs first."""
    causal = dict.fromkeys(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, AutoModelForCausalLM)
    encoders = dict.fromkeys(MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, AutoModelForSeq2SeqLM)
    images = dict.fromkeys(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, AutoModelForImageTextToText)
    return {**causal, **images, **encoders, **causal}


def small(config: Any) -> dict[str, Any]:
    """Return the settings of a default configuration with its sizes cut."""
    settings = config.to_dict()
    return dict(cut(settings, settings.get("num_layers", 0)))


def cut(settings: dict[str, Any], blocks: Any) -> Iterator[tuple[str, Any]]:
    """Yield a configuration's settings, those that name a size with a small one."""
    blocks = next((settings[n] for n in ("num_hidden_layers", "n_layer", "n_layers") if n in settings), blocks)
    for name, value in settings.items():
        if name == "per_layer_config" and isinstance(value, dict):
            yield name, {layer: own for layer, own in value.items() if int(layer) < BLOCKS}
        elif isinstance(value, dict):
            yield name, dict(cut(value, blocks)) if "config" in name else value
        elif isinstance(value, list) and len(value) == blocks and blocks:
            yield name, first_of_each(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            yield name, next((min(size, value) for pattern, size in SIZES if re.fullmatch(pattern, name)), value)
        else:
            yield name, value


def first_of_each(values: list[Any]) -> list[Any]:
    """Return as many entries as there are blocks, one of each kind among them where there are few kinds."""
    kinds = list(dict.fromkeys(map(str, values)))
    if len(kinds) > BLOCKS:
        return values[:BLOCKS]
    head = values[: BLOCKS - len(kinds)]
    return sorted([*head, *(next(v for v in values if str(v) == kind) for kind in kinds)][:BLOCKS],
                  key=lambda v: list(map(str, values)).index(str(v)))  # fmt: skip


def tiny(family: str) -> Any:
    """Return a random model of a family."""
    auto = classes()[family]
    default = AutoConfig.for_model(family)
    settings = small(default)
    if "kv_lora_rank" in settings:  # latent attention: keys of all heads come from one state
        settings |= {name: 4 for name in ("num_key_value_heads", "head_dim") if name in settings}
    settings |= CHANGES.get(family, {})
    config = type(default)(**{name: value for name, value in settings.items() if not name.startswith("_")})
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        for part in (config, config.get_text_config()):
            if isinstance(getattr(part, name, None), int) and getattr(part, name) >= VOCABULARY:
                setattr(part, name, 0)
    if hasattr(config, "is_decoder") and auto is AutoModelForCausalLM:
        config.is_decoder = True
    with torch.device("meta"):
        n = sum(p.numel() for p in auto.from_config(copy.deepcopy(config)).parameters())
    if n > LARGEST:
        raise ValueError(f"{n} weights")
    torch.manual_seed(0)
    return auto.from_config(config, dtype=torch.float32).eval()


WAYS: dict[str, dict[str, Any]] = {
    "logits": {},
    "hidden states": {"features": ["logits", "hidden"], "pooling": ["mean", "last"]},
    "written": {"condition": "generate", "max_new_tokens": 5, "max_invalid": 1.0, "keep_text": True},
}


def try_family(family: str, folder: Path) -> tuple[str, str]:
    """Return what became of a family, and the line that says more."""
    try:
        tiny(family).save_pretrained(folder / "model")
        tiny_tokenizer().save_pretrained(folder / "model")
    except Exception as error:
        return "not built", line_of(error)
    items, start = folder / "items.jsonl", "Rate the text below from 1 to 5. " * 4
    texts = [f"{start}{text}" for text in ("a fox", "a lazy dog, yes", "the quick brown fox " * 5)]
    items.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in [*texts, "a score"]))
    told = []
    for way, options in WAYS.items():
        try:
            cache = extract_features(
                folder / "model", items, cache=folder / way, device="cpu", quiet=True, scale="1-5", **options
            )
        except LagerError as error:
            if "\n" in str(error):
                return "LINES", str(error)
            if way == "logits":
                return "refused", str(error)
            told.append(f"{way} refused: {error}")
        except Exception as error:
            return "RAISED", f"{way}: {line_of(error)} @ {place_of(error)}"
        else:
            told.append(f"{way} of {int(cache.valid.sum())} of {cache.n_items}")
    return "read", "; ".join(told)


def line_of(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def place_of(error: BaseException) -> str:
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "/lager/" in f.filename or "/src/" in f.filename]
    last = traceback.extract_tb(error.__traceback__)[-1]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in [last, *ours[::-1][:3]])


def main() -> None:
    """Try families and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--log", type=Path)
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    found: dict[str, tuple[str, str]] = {}
    for family in arguments.families or classes():
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found[family] = try_family(family, Path(folder))
        print(f"{family:28} {found[family][0]:10} {found[family][1]}  [{time.monotonic() - start:.1f}s]", flush=True)
        if arguments.log:
            arguments.log.write_text(json.dumps(found, indent=1))
    print(Counter(kind for kind, _ in found.values()))


if __name__ == "__main__":
    main()

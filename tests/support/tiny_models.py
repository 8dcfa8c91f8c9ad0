"""Tiny random causal LMs built from configurations, with a small real tokenizer trained on the spot.

Weights are drawn wide, so that read-outs differ by more than 1 between layers and labels: at the default width they
are near 0.003, and a tolerance of 1e-4 would prove little.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 320
SENTENCES = [
    "Rate the text below from 1 to 5. Score: 3",
    "You are a careful judge. Read the response and answer with a single score.",
    "The quick brown fox jumps over the lazy dog, 1 2 3 4 5 6 7 8 9 times.",
    "Answer with a single score from 1 (worst) to 5 (best) and nothing else.",
]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
# What each family adds to, or takes from, the small shape. Windows are shorter than the prompts of the tests.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 8},
    "qwen2": {},
    "qwen3": {},
    "gemma2": {"sliding_window": 8, "final_logit_softcapping": 5.0, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 8, "query_pre_attn_scalar": 8},
    "phi3": {},
    "olmo2": {},
    "granite": {"logits_scaling": 4.0, "embedding_multiplier": 2.0},
    "cohere": {"logit_scale": 0.25},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128},
    "gpt_neox": {"num_key_value_heads": None},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": _MOE,
    "falcon": {"num_key_value_heads": None, "head_dim": None, "new_decoder_architecture": False, "alibi": False},
    "smollm3": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "gpt_oss": {"sliding_window": 8, "num_local_experts": 4, "num_experts_per_tok": 2},
    "deepseek_v3": {
        "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "moe_intermediate_size": 24,
        "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 8,
        "first_k_dense_replace": 1, "num_key_value_heads": 4, "head_dim": 4,
    },
    "mamba": {"state_size": 4, "num_attention_heads": None, "num_key_value_heads": None},
}  # fmt: skip


def tiny_model(family: str, *, seed: int = 0, **changes: Any) -> Any:
    """Return a random model of a family, in float32 and evaluation mode."""
    settings = {k: v for k, v in {**_SMALL, **FAMILIES.get(family, {}), **changes}.items() if v is not None}
    if family == "gpt2":
        settings = {k: v for k, v in settings.items() if k not in {"hidden_size", "intermediate_size", "head_dim"}}
    return _random_weights(AutoConfig.for_model(family, **settings), seed=seed)


def tiny_multimodal_model(*, seed: int = 0) -> Any:
    """Return a random model with a vision tower of as many layers as its text decoder has."""
    vision = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
        "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    text = {**_SMALL, **FAMILIES["gemma3_text"]}
    config = AutoConfig.for_model("gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4)
    return _random_weights(config, seed=seed)


def _random_weights(config: Any, *, seed: int) -> Any:
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        # Biases and norm weights start at 0 and 1, where a wrong one would not show.
        if parameter.ndim == 1:
            parameter.data += 0.2 * torch.randn_like(parameter) * ("A_log" not in name)
    for weight in {
        id(w): w for w in (model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    }.values():
        weight.data *= 3.0
    return model.eval().requires_grad_(False)


def tiny_tokenizer(
    *, chat_template: str | None = None, boundary: bool = False, eos: bool = False, fresh: bool = False
) -> Any:
    """Return a BPE tokenizer with a BOS.

    Parameters
    ----------
    chat_template : str, optional
        Its chat template.
    boundary : bool
        Whether words begin with a piece of their own before digits, as in SentencePiece vocabularies.
    eos : bool
        Whether it also appends an EOS.
    fresh : bool
        Train it anew, so that tokens can be added to it and to no other.
    """
    after = " </s>" if eos else ""
    trained = _trained.__wrapped__(boundary, after) if fresh else _trained(boundary, after)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>",
        model_max_length=10**9,
    )  # fmt: skip
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    return tokenizer


@cache
def _trained(boundary: bool, after: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=True)])
        if boundary
        else pre_tokenizers.ByteLevel(add_prefix_space=False)
    )
    tokenizer.decoder = decoders.Metaspace() if boundary else decoders.ByteLevel()
    specials = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = [*map(chr, range(33, 127)), "▁"] if boundary else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"<s> $A{after}", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


def save_judge(folder: Path, *, family: str = "llama", tokenizer: Any = None, **changes: Any) -> Path:
    """Write a tiny model and tokenizer as a checkpoint folder and return it."""
    tiny_model(family, **changes).save_pretrained(folder)
    (tiny_tokenizer() if tokenizer is None else tokenizer).save_pretrained(folder)
    return folder


def random_prompts(lengths: list[int], *, seed: int = 0) -> list[Any]:
    """Return random token ids of the given lengths."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, VOCABULARY, (n,), generator=generator).int().numpy() for n in lengths]

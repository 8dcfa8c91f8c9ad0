"""Tiny judges as GGUF files, written with the gguf package."""

import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize
from support.tiny_models import VOCABULARY, tiny_tokenizer

WIDTH, INNER, BLOCKS, HEADS = 32, 64, 3, 4


def write_gguf(path: Path, *, seed: int = 0, chat_template: str | None = None, split: int = 1) -> Path:
    """Write a tiny Llama with its tokenizer, some of its weights in 8 bits, and return the file."""
    rng = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(7)
    if split > 1:
        writer.add_uint16("split.count", split)
    _add_tokenizer(writer, chat_template)

    def add(name: str, *shape: int, packed: bool = False) -> None:
        values = (3 * rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32)
        kind = GGMLQuantizationType.Q8_0 if packed else GGMLQuantizationType.F32
        writer.add_tensor(name, quantize(values, kind) if packed else values, raw_dtype=kind)

    add("token_embd.weight", VOCABULARY, WIDTH)
    add("output.weight", VOCABULARY, WIDTH)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for block in range(BLOCKS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{block}.{name}.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{block}.{name}.weight", WIDTH, WIDTH, packed=True)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{block}.{name}.weight", INNER, WIDTH, packed=True)
        add(f"blk.{block}.ffn_down.weight", WIDTH, INNER, packed=True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter, chat_template: str | None) -> None:
    tokenizer = tiny_tokenizer()
    parts = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(parts["vocab"], key=parts["vocab"].get)
    special = set(tokenizer.all_special_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in parts["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_unk_token_id(tokenizer.unk_token_id)
    if chat_template is not None:
        writer.add_chat_template(chat_template)

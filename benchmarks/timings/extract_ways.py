"""The ways to read that `benchmarks/timings/extract.py` compares, and the model they read with."""

import argparse
from collections.abc import Callable

SHAPES = {
    "tiny": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
             "intermediate_size": 192, "vocab_size": 49152},
    "135m": {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
             "intermediate_size": 1536, "vocab_size": 49152, "tie_word_embeddings": True},
    "8b": {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
           "intermediate_size": 14336, "vocab_size": 128256},
}  # fmt: skip
WAYS = {
    "shared": "ours",
    "plain": "ours, without sharing",
    "bare": "bare decoder forward, same batches as without sharing",
    "hidden": "output_hidden_states, batches of 4 padded to the longest",
    "released": "released code's way: padded to 2,048, 10 tokens generated",
}
ONCE = ("hidden", "released")
LABELS = (16, 17, 18, 19, 20)
RELEASED_ITEMS, RELEASED_WIDTH, RELEASED_NEW = 8, 2048, 10


def build_model(options: argparse.Namespace):
    """Return a random model and its parts."""
    import torch
    from lager.extract.model.parts import find_parts
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**SHAPES[options.shape], max_position_embeddings=8192, attn_implementation=options.attn)
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, options.dtype))
    with torch.device(options.device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = None  # all tokens are generated
    model.generation_config.pad_token_id = 0
    if options.compile:
        model.model.compile(dynamic=True)
    model = model.eval().requires_grad_(False)
    return model, find_parts(model)


def read(way: str, model, parts, prompts, options: argparse.Namespace) -> None:
    """Read all prompts in one of the ways."""
    import torch
    from lager.extract.readout.batches import plan_batches
    from lager.extract.readout.readout import read_steps
    from lager.extract.readout.steps import plan_steps

    if way in ("shared", "plain"):
        steps = plan_steps(prompts, batch_tokens=options.batch_tokens, share_prefixes=way == "shared")
        for _ in read_steps(parts, prompts, steps, LABELS):
            pass
        return
    with torch.inference_mode():
        if way == "bare":
            for rows in plan_batches([len(p) for p in prompts], batch_tokens=options.batch_tokens):
                ids, _ = padded([prompts[row] for row in rows], model.device)
                model.model(input_ids=ids, use_cache=False)
        for start in range(0, len(prompts) if way in ("hidden", "released") else 0, 4):
            batch = prompts[start : start + 4]
            with_hidden_states(model, batch) if way == "hidden" else as_released(model, batch)


def padded(batch, device, *, left: bool = False, width: int = 0):
    """Return token ids and attention mask."""
    import torch

    width = max(width, *(len(p) for p in batch))
    ids, mask = torch.zeros(2, len(batch), width, dtype=torch.long)
    for row, prompt in enumerate(batch):
        place = slice(width - len(prompt), width) if left else slice(0, len(prompt))
        ids[row, place], mask[row, place] = torch.tensor(prompt, dtype=torch.long), 1
    return ids.to(device), mask.to(device)


def with_hidden_states(model, batch):
    """All positions of all layers, then the last ones times the score tokens' rows; no whole head."""
    import torch

    ids, mask = padded(batch, model.device)
    hidden = model.model(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False).hidden_states
    last = mask.sum(1) - 1
    states = torch.stack([layer[torch.arange(len(batch)), last] for layer in hidden], 1)
    return (states @ model.lm_head.weight[list(LABELS)].T).float().cpu()


def as_released(model, batch):
    """Generation with all hidden states kept; then the whole head on each layer at the last step."""
    import torch

    ids, mask = padded(batch, model.device, left=True, width=RELEASED_WIDTH)
    made = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=RELEASED_NEW, do_sample=False, output_hidden_states=True,
        return_dict_in_generate=True,
    )  # fmt: skip
    return torch.stack([model.lm_head(layer[:, -1]) for layer in made.hidden_states[-1]], 1)[..., list(LABELS)].cpu()


def waiting(options: argparse.Namespace) -> Callable[[], None]:
    """Return what waits for the device."""
    import torch

    return torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None

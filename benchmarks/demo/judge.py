"""The demo's judge: a byte-level BPE tokenizer with a chat template, and a small Llama trained from scratch on the CPU.

Every prompt is rendered by the bundled ``direct`` template. One training sequence is one response with all criteria
after it: the shared beginning is read once, each criterion's ending attends to it and to itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import torch
from lager.data.scale import Scale
from lager.data.templates.template import load_template
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .items import judged_stream, style_texts
from .world import LOOKS, ORNATE, PLAIN, THINGS

SCALE = Scale.parse("1-5")
BOS, PAD, END = "<s>", "<pad>", "<|end|>"
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
_IGNORED = -100


@dataclass(frozen=True)
class Recipe:
    """How the judge is made.

    Parameters
    ----------
    width, n_blocks, n_heads, inner : int
        The shape of the Llama: hidden size, blocks, attention heads, inner size of the feed-forward layers.
    n_pieces : int
        Largest size of the vocabulary.
    steps, batch : int
        Optimiser steps, and responses (three prompts each) in each of them.
    peak_rate, weight_decay, warmup : float, float, int
        Of AdamW; the rate rises over `warmup` steps and falls linearly to a fiftieth.
    text_loss : float
        Weight of the next-token loss on the prompt beside the loss on the score token.
    ornate : float
        Probability of the held-out style for each part of a training prompt.
    block_drop : float
        Stochastic depth (Huang et al., 2016): block i of n is skipped with probability ``block_drop * i / n``.
    """

    width: int = 64
    n_blocks: int = 8
    n_heads: int = 4
    inner: int = 176
    n_pieces: int = 1024
    steps: int = 900
    batch: int = 16
    peak_rate: float = 3e-3
    weight_decay: float = 0.05
    warmup: int = 50
    text_loss: float = 1.0
    ornate: float = 0.03
    block_drop: float = 0.2


class Batch(NamedTuple):
    """Training sequences: a shared beginning and one ending per criterion, padded on the right of each.

    Attributes
    ----------
    ids, positions, next_ids : Tensor of shape (n, n_tokens)
        Token ids; their positions in their own prompt; the next token where the text loss is taken, else -100.
    mask : Tensor of shape (n, 1, n_tokens, n_tokens)
        Additive attention mask: 0 or -inf.
    answer_at : Tensor of shape (n, n_criteria)
        Index of the token after which the score comes.
    target : Tensor of shape (n, n_criteria, 5)
        Share of the raters that gave each score.
    """

    ids: Tensor
    positions: Tensor
    next_ids: Tensor
    mask: Tensor
    answer_at: Tensor
    target: Tensor


def train_tokenizer(seed: int, *, n_pieces: int) -> PreTrainedTokenizerFast:
    """Train the BPE on judging prompts of both styles; digits always stand alone."""
    template = load_template("direct")
    prompts = [
        template.render(fields, scale=SCALE)
        for group, _ in islice(judged_stream(seed, ornate=0.5), 400)
        for fields in group
    ]
    words = [f" {word}" for word in (*THINGS, *LOOKS)] * 2
    forms = [
        form.format(n="lamp", v="red", things="the lamp") for style in (PLAIN, ORNATE) for form in style_texts(style)
    ]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    special = [PAD, BOS, END, "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=n_pieces,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*prompts, *words, *forms], trainer)
    bpe.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bpe.token_to_id(BOS))])
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=special[3:],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def new_judge(recipe: Recipe, *, vocabulary: int, seed: int) -> LlamaForCausalLM:
    """Return the untrained model."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=recipe.width,
            intermediate_size=recipe.inner,
            num_hidden_layers=recipe.n_blocks,
            num_attention_heads=recipe.n_heads,
            num_key_value_heads=recipe.n_heads,
            max_position_embeddings=1024,
            tie_word_embeddings=False,
            initializer_range=0.05,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


def label_ids_of(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the token ids of the scale's labels."""
    ids: Any = tokenizer.convert_tokens_to_ids(list(SCALE.labels))
    return list(ids)


def prompt_ids(tokenizer: PreTrainedTokenizerFast, fields: Sequence[dict[str, str]]) -> list[list[int]]:
    """Return the token ids of the chat-formatted prompts, up to where the score is to come."""
    template = load_template("direct")
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": template.render(one, scale=SCALE)}], tokenize=False, add_generation_prompt=True
        )
        for one in fields
    ]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def pack(prompts: Sequence[Sequence[list[int]]], scores: Sequence[Sequence[list[int]]]) -> Batch:
    """Lay out the prompts of each response (one per criterion) as one sequence; see `Batch`."""
    shared = [_common(group) for group in prompts]
    start = max(shared)
    room = max(len(ids) - begin for group, begin in zip(prompts, shared, strict=True) for ids in group)
    n, n_criteria = len(prompts), len(prompts[0])
    n_tokens = start + n_criteria * room
    ids = torch.zeros(n, n_tokens, dtype=torch.long)
    positions = torch.zeros_like(ids)
    next_ids = torch.full_like(ids, _IGNORED)
    part = torch.full_like(ids, -1)  # 0: the shared beginning; k: the ending of criterion k; -1: padding
    answer_at = torch.zeros(n, n_criteria, dtype=torch.long)
    target = torch.zeros(n, n_criteria, len(SCALE))
    for row, (group, begin) in enumerate(zip(prompts, shared, strict=True)):
        pieces = [(0, 0, group[0][:begin])]
        pieces += [(start + k * room, begin, one[begin:]) for k, one in enumerate(group)]
        for k, (at, first, piece) in enumerate(pieces):
            here = slice(at, at + len(piece))
            ids[row, here] = torch.tensor(piece)
            positions[row, here] = torch.arange(first, first + len(piece))
            part[row, here] = k
            if k:
                answer_at[row, k - 1] = at + len(piece) - 1
        next_ids[row, : begin - 1] = ids[row, 1:begin]
        for k, given in enumerate(scores[row]):
            for score in given:
                target[row, k, score - 1] += 1 / len(given)
    return Batch(ids, positions, next_ids, _mask(part), answer_at, target)


def _common(prompts: Sequence[list[int]]) -> int:
    """Return the length of the beginning that all prompts share."""
    return next(i for i, tokens in enumerate(zip(*prompts, strict=False)) if len(set(tokens)) > 1)


def _mask(part: Tensor) -> Tensor:
    """Let a token see what precedes it in the shared beginning and in its own ending; padding sees itself."""
    query, key = part[:, :, None], part[:, None, :]
    earlier = torch.ones(part.shape[1], part.shape[1]).tril().bool()
    seen = ((key == 0) | (key == query)) & (key >= 0) & earlier
    seen |= torch.eye(part.shape[1]).bool()
    return torch.zeros(seen.shape).masked_fill(~seen, float("-inf"))[:, None]


def batches(tokenizer: PreTrainedTokenizerFast, recipe: Recipe, *, seed: int) -> Iterator[Batch]:
    """Yield training batches without end; no response comes twice."""
    stream = judged_stream(seed, ornate=recipe.ornate)
    while True:
        drawn = list(islice(stream, recipe.batch))
        flat = prompt_ids(tokenizer, [fields for group, _ in drawn for fields in group])
        size = len(drawn[0][0])
        yield pack([flat[i : i + size] for i in range(0, len(flat), size)], [scores for _, scores in drawn])


def losses(model: LlamaForCausalLM, batch: Batch, label_ids: list[int]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the score token against the raters, and of the next token of the text."""
    hidden = model.model(
        input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
    ).last_hidden_state
    answers = model.lm_head(hidden[torch.arange(len(hidden))[:, None], batch.answer_at])
    score_loss = -(batch.target * answers.log_softmax(-1)[..., label_ids]).sum(-1).mean()
    text = batch.next_ids != _IGNORED
    text_loss = nn.functional.cross_entropy(model.lm_head(hidden[text]), batch.next_ids[text])
    return score_loss, text_loss


def train_judge(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    *,
    seed: int,
    report: Callable[[str], None],
) -> None:
    """Train the judge in place."""
    label_ids = label_ids_of(tokenizer)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.peak_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    rng = random.Random(f"lager demo blocks {seed}")
    blocks = list(model.model.layers)
    model.train()
    for step, batch in enumerate(islice(batches(tokenizer, recipe, seed=seed), recipe.steps)):
        for group in optimiser.param_groups:
            group["lr"] = recipe.peak_rate * min((step + 1) / recipe.warmup, max(0.02, 1 - step / recipe.steps))
        kept = [block for i, block in enumerate(blocks, 1) if rng.random() >= recipe.block_drop * i / len(blocks)]
        model.model.layers = nn.ModuleList(kept)
        score_loss, text_loss = losses(model, batch, label_ids)
        optimiser.zero_grad()
        loss = score_loss + recipe.text_loss * text_loss
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 0 or step == recipe.steps - 1:
            report(f"step {step}: score loss {score_loss.item():.3f}, text loss {text_loss.item():.3f}")
    model.model.layers = nn.ModuleList(blocks)
    model.eval()  # type: ignore[no-untyped-call]


@torch.inference_mode()
def read_layers(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: Sequence[dict[str, Any]]) -> Tensor:
    """Return score-token logits ``h_l . W_U[M]`` of shape (n, n_blocks + 1, 5), one prompt at a time."""
    unembedding = model.lm_head.weight[label_ids_of(tokenizer)]
    read = []
    for ids in prompt_ids(tokenizer, rows):
        states = model.model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        read.append(torch.stack([state[0, -1] for state in states]) @ unembedding.T)
    return torch.stack(read)

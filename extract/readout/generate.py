"""Greedy generation in batches, with the KV cache and without hidden states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..model.judge import Judge
from .batches import is_out_of_memory
from .self_check import allowed_difference


class Generated(NamedTuple):
    """What the judge wrote.

    Attributes
    ----------
    ids : ndarray of shape (n_tokens,), int32
        The new tokens, without the one that ended them.
    ended : bool
        Whether the judge came to an end by itself.
    """

    ids: NDArray[np.int32]
    ended: bool


def stop_token_ids(judge: Judge) -> tuple[int, ...]:
    """Return the tokens that end a text: those of the model's generation settings, and the tokenizer's own."""
    named = getattr(judge.model.generation_config, "eos_token_id", None)
    listed = [named] if isinstance(named, int) else list(named or [])
    own = judge.tokenizer.eos_token_id
    return tuple(sorted({int(token) for token in [*listed, own] if token is not None}))


def generate_batch(
    judge: Judge, prompts: Sequence[NDArray[np.int32]], *, max_new_tokens: int, stop_ids: Sequence[int]
) -> list[Generated]:
    """Let the judge write after each prompt: the most likely token at every step.

    Settings that come with the checkpoint (sampling, repetition penalties) are not used.

    Parameters
    ----------
    judge : Judge
        The model.
    prompts : sequence of ndarray of shape (n_tokens,)
        Token ids.
    max_new_tokens : int
        Longest text.
    stop_ids : sequence of int
        The tokens that end it.
    """
    width = max(len(prompt) for prompt in prompts)
    output = _generate(judge, prompts, max_new_tokens=max_new_tokens, eos_token_id=list(stop_ids) or None)
    texts = []
    for row in output.sequences[:, width:].cpu().numpy().astype(np.int32):
        (ends,) = np.nonzero(np.isin(row, list(stop_ids)))
        texts.append(Generated(row[: ends[0]], True) if len(ends) else Generated(row, False))
    return texts


def check_padding(judge: Judge, prompts: Sequence[NDArray[np.int32]]) -> None:
    """Compare the first steps after the shortest prompt of a batch with those after the prompt alone.

    Prompts are padded on the left, and an architecture could take the padding for text.
    """
    row = int(np.argmin([len(prompt) for prompt in prompts]))
    together = _first_logits(judge, prompts)[row]
    alone = _first_logits(judge, [prompts[row]])[0]
    if not np.isfinite(alone).all():
        return
    # The second step follows another token where the two most likely ones are as good as equal.
    steps = 1 + int(together[0].argmax() == alone[0].argmax())
    difference = float(np.abs(together[:steps] - alone[:steps]).max())
    allowed = allowed_difference(judge, float(np.abs(alone).max()))
    if not difference <= allowed:
        raise LagerError(
            f"self-check: padding changes what {type(judge.model).__name__} writes by {difference:.3g} in a logit, at "
            f"most {allowed:.3g} was expected for {judge.dtype}; nothing was written: use --batch-tokens 1"
        )


def _first_logits(judge: Judge, prompts: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
    """Return the logits of the first two steps, shape (n_prompts, 2, vocabulary)."""
    output = _generate(judge, prompts, max_new_tokens=2, output_logits=True)
    array: NDArray[np.float32] = torch.stack(output.logits, dim=1).float().cpu().numpy()
    return array


@torch.inference_mode()
def _generate(judge: Judge, prompts: Sequence[NDArray[np.int32]], **settings: Any) -> Any:
    """Run transformers' greedy generation on prompts that are padded on the left."""
    width = max(len(prompt) for prompt in prompts)
    ids = np.full((len(prompts), width), judge.pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for n, prompt in enumerate(prompts):
        ids[n, width - len(prompt) :] = prompt
        mask[n, width - len(prompt) :] = 1
    device = judge.model.get_input_embeddings().weight.device
    config = _settings(
        do_sample=False, num_beams=1, use_cache=True, return_dict_in_generate=True, pad_token_id=judge.pad_id,
        **settings,
    )  # fmt: skip
    try:
        with _plain_settings(judge.model):
            return judge.model.generate(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(mask).to(device),
                generation_config=config,
            )
    except Exception as error:  # what code of an unknown architecture raises cannot be foreseen
        if is_out_of_memory(error):
            raise
        first = (str(error).strip() or "no message").splitlines()[0]
        raise LagerError(
            f"{type(judge.model).__name__} cannot write: looked for `generate` with padding on the left and a cache, "
            f"and the model's code raised {type(error).__name__}: {first}; read prompts at their end (--condition "
            "direct)"
        ) from None


@contextmanager
def _plain_settings(model: Any) -> Iterator[None]:
    """Put empty generation settings in the place of the checkpoint's: those fill what a call leaves open."""
    kept = model.generation_config
    model.generation_config = _settings()
    try:
        yield
    finally:
        model.generation_config = kept


def _settings(**options: Any) -> Any:
    """Return generation settings with nothing of the checkpoint's."""
    import transformers

    settings_class: Any = transformers.GenerationConfig
    return settings_class(**options)

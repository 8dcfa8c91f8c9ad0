"""Stage 1 from end to end: a model and items in, a feature cache out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.cache.feature_cache import FeatureCache
from ..data.items.lazy_items import ItemSource
from ..data.scale import Scale
from .engines.launch import run_extraction
from .model.judge import Judge
from .options.groups import DEFAULT_BATCH_TOKENS, ExtractOptions, WorkerOptions
from .options.option import make, options_of


def extract_features(
    model: str | Path | Judge,
    items: str | Path | ItemSource,
    *,
    cache: str | Path,
    template: str | Path | None = None,
    system: str | None = None,
    answer_prefix: str = "",
    chat_args: Mapping[str, Any] | None = None,
    chat_template: str | Path | None = None,
    allow_special_tokens: bool | None = None,
    scale: str | Scale | None = None,
    human_range: tuple[float, float] | None = None,
    group: Sequence[str] = (),
    cluster: str | None = None,
    raters: Sequence[str] = (),
    truncate_field: str | None = None,
    max_field_tokens: int | None = None,
    condition: str = "direct",
    score_rule: str | None = None,
    max_new_tokens: int | None = None,
    features: Sequence[str] = ("logits",),
    pooling: Sequence[str] | None = None,
    max_invalid: float = 0.1,
    limit: int | None = None,
    seed: int = 42,
    keep_text: bool = False,
    private: bool = False,
    extend: bool = False,
    replace: bool = False,
    dtype: str = "auto",
    device: str | None = None,
    attn: str | None = None,
    quantize: str | None = None,
    revision: str | None = None,
    tokenizer: str | None = None,
    verify_weights: bool = False,
    trust_remote_code: bool = False,
    layers_path: str | None = None,
    norm_path: str | None = None,
    batch_tokens: int = DEFAULT_BATCH_TOKENS,
    shard_size: int | None = None,
    share_prefixes: bool = True,
    deterministic: bool = False,
    engine: str | None = None,
    workers: int | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    slurm: Mapping[str, Any] | None = None,
    max_failures: int = 0,
    quiet: bool = False,
) -> FeatureCache:
    """Read every item with a frozen LM and write the feature cache.

    The same call goes on where an earlier one stopped; a complete cache is returned as it is.

    Parameters
    ----------
    model : str, Path or Judge
        Local folder, GGUF file, hub id, or a judge that is loaded already (loading options are then without effect).
    items : str, Path or ItemSource
        JSONL, CSV or Parquet file, ``benchmark:NAME=PATH#PART``, or items in memory.
    cache : str or Path
        Folder of the cache.
    template : str or Path, optional
        Bundled template or Jinja file, for items that come as fields; when None ``reasoning`` for that condition,
        ``direct`` otherwise.
    system, answer_prefix : str, optional
        System message; beginning of the judge's answer.
    chat_args : mapping, optional
        Arguments of the chat template, over the defaults (thinking off, a fixed date).
    chat_template : str or Path, optional
        "none" for prompts that are rendered already, or a Jinja file in place of the tokenizer's own chat template.
    allow_special_tokens : bool, optional
        Let special tokens of the tokenizer within an item's fields, such as ``<|im_end|>``, be tokens; they are read
        as plain text otherwise, so that no item writes a turn of the conversation.
    scale : str or Scale, optional
        Score labels; the items' own, else 1-5, when None.
    human_range : tuple of float, optional
        Range of the human scores, mapped linearly onto the scale.
    group, cluster : sequence of str, str, optional
        Columns that name an item's group, and its shared source text.
    raters : sequence of str
        Columns that hold one rater's scores each, blank where there is none; they reach no prompt.
    truncate_field, max_field_tokens : str, int, optional
        A field that is cut to so many tokens before rendering.
    condition : {"direct", "generate", "reasoning"}
        Whether the judge is read at the prompt's end, or after it wrote an answer; see
        `lager.extract.prompts.condition`.
    score_rule, max_new_tokens : str, int, optional
        Which label of a generated text is the score, and the longest such text.
    features : sequence of {"logits", "hidden"}
        With "hidden", pooled hidden states are stored too.
    pooling : sequence of {"mean", "last", "min", "max"}, optional
        Over the prompt's tokens; "last", the read-out position, when None.
    max_invalid : float
        Stop when more than this part of the readable items fails, numerically or for want of a score in what the judge
        wrote; over-long prompts do not count.
    limit, seed : int, optional
        Read a random draw of so many items; seed of the draw.
    keep_text : bool
        Store the rendered prompts, and what the judge wrote, with the items.
    private : bool
        Key the prompt hashes with a secret of this cache.
    extend, replace : bool
        What becomes of a complete cache that holds other items: read further ones into it, its own being given too; or
        let those go that are not given now. It is refused without either.
    dtype, device, attn, quantize, revision, tokenizer, verify_weights, trust_remote_code, layers_path, norm_path
        See `lager.extract.model.judge.load_judge`.
    batch_tokens : int
        Padded tokens of a batch.
    shard_size : int, optional
        Items of a shard; see `lager.data.run.shard_size` when None.
    share_prefixes : bool
        Compute what prompts of a shard share once, where that saves work and the model allows it; the read-outs change
        in low bits only.
    deterministic : bool
        Read each prompt by itself, without sharing: no read-out depends on the other items.
    engine : {"local", "ray", "submitit"}, optional
        Who starts several workers: processes on this machine, one for each GPU; actors on a Ray cluster; or jobs that
        are submitted to Slurm.
    workers : int, optional
        How many workers the engine starts; "submitit" needs it.
    rank, world_size : int, optional
        This process is one of several workers that somebody else started; the variables of torchrun and of Slurm say
        the same. It returns when all of them are done.
    slurm : mapping, optional
        What the jobs of "submitit" ask for, such as ``{"partition": "gpu", "mem_gb": 64}``; see
        `lager.extract.engines.slurm_options.make_executor`.
    max_failures : int
        So many shards may fail, for another reason than their items, before the run stops; the others are read first.
    quiet : bool
        Print nothing on stderr.

    Returns
    -------
    FeatureCache

    Raises
    ------
    LagerError
        When the input, the model, an option or the cache's folder is not as it must be.
    """
    keywords = dict(locals())  # each option is written once above, and no more here
    options = make(ExtractOptions, {name: keywords[name] for name in options_of(ExtractOptions)})
    who = make(WorkerOptions, {name: keywords[name] for name in options_of(WorkerOptions)})
    complete = run_extraction(model, items, cache=cache, options=options, workers=who, quiet=quiet)
    assert complete  # it waits for the manifest
    return FeatureCache.open(cache)

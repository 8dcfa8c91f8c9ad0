"""Stage 1 from end to end: a model and items in, a feature cache out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.cache import FeatureCache
from ..data.cache_writer import DEFAULT_SHARD_SIZE, CacheWriter
from ..data.errors import LagerError
from ..data.finalize import Finalized, finalize_cache
from ..data.items import Items
from ..data.scale import Scale
from .batches import DEFAULT_BATCH_TOKENS
from .judge import Judge
from .likely_tokens import LOW_MASS
from .prepare import prepare_reading

Say = Callable[[str], None]


def extract_features(
    model: str | Path | Judge,
    items: str | Path | Items,
    *,
    cache: str | Path,
    template: str | Path | None = None,
    system: str | None = None,
    answer_prefix: str = "",
    chat_args: Mapping[str, Any] | None = None,
    scale: str | Scale | None = None,
    human_range: tuple[float, float] | None = None,
    group: Sequence[str] = (),
    cluster: str | None = None,
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
    dtype: str = "auto",
    device: str | None = None,
    attn: str | None = None,
    quantize: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    layers_path: str | None = None,
    norm_path: str | None = None,
    batch_tokens: int = DEFAULT_BATCH_TOKENS,
    shard_size: int = DEFAULT_SHARD_SIZE,
    share_prefixes: bool = True,
    deterministic: bool = False,
    quiet: bool = False,
) -> FeatureCache:
    """Read every item with a frozen LM and write the feature cache.

    The same call goes on where an earlier one stopped; a complete cache is returned as it is.

    Parameters
    ----------
    model : str, Path or Judge
        Local folder, hub id, or a judge that is loaded already (the loading options are then without effect).
    items : str, Path or Items
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
    scale : str or Scale, optional
        Score labels; the items' own, else 1-5, when None.
    human_range : tuple of float, optional
        Range of the human scores, mapped linearly onto the scale.
    group, cluster : sequence of str, str, optional
        Columns that name an item's group, and its shared source text.
    truncate_field, max_field_tokens : str, int, optional
        A field that is cut to so many tokens before rendering.
    condition : {"direct", "generate", "reasoning"}
        Whether the judge is read at the prompt's end, or after it wrote an answer; see `lager.extract.condition`.
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
    dtype, device, attn, quantize, revision, trust_remote_code, layers_path, norm_path
        See `lager.extract.judge.load_judge`.
    batch_tokens : int
        Padded tokens of a batch.
    shard_size : int
        Items of a shard.
    share_prefixes : bool
        Compute what prompts of a shard share once, where that saves work and the model allows it; the read-outs change
        in low bits only.
    deterministic : bool
        Read each prompt by itself, without sharing: no read-out depends on the other items.
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
    say = _silent if quiet else _to_stderr
    folder = Path(cache)
    if not 0 <= max_invalid <= 1:
        raise LagerError(f"--max-invalid {max_invalid:g}: expected a part between 0 and 1")
    if deterministic:
        batch_tokens, share_prefixes = 1, False
    reading = prepare_reading(
        model, items, folder=folder, say=say,
        template=template, system=system, answer_prefix=answer_prefix, chat_args=chat_args, scale=scale,
        human_range=human_range, group=group, cluster=cluster, truncate_field=truncate_field,
        max_field_tokens=max_field_tokens, condition=condition, score_rule=score_rule, max_new_tokens=max_new_tokens,
        features=features, pooling=pooling, limit=limit, seed=seed, dtype=dtype, device=device, attn=attn,
        quantize=quantize, revision=revision, trust_remote_code=trust_remote_code, layers_path=layers_path,
        norm_path=norm_path, batch_tokens=batch_tokens,
    )  # fmt: skip
    judge, plan, loaded = reading.judge, reading.plan, reading.items

    from .identity import cache_identity
    from .shard_run import check_text_is_kept, done_shards, read_missing_shards

    writer = CacheWriter.start(
        folder,
        identity=cache_identity(
            judge, reading.prompt_format, loaded, plan, batch_tokens=batch_tokens, poolings=reading.poolings
        ),
        item_id=loaded.item_id,
        shard_size=shard_size,
        options={"limit": limit, "seed": seed, "human_range": list(human_range) if human_range else None,
                 "keep_text": keep_text, "batch_tokens": batch_tokens, "share_prefixes": share_prefixes,
                 "deterministic": deterministic},
        provenance={"human_range": list(human_range) if human_range else None, "source": loaded.source},
        private=private,
    )  # fmt: skip
    if writer.notice:
        say(writer.notice)
    complete = writer.finished()
    if complete is not None and len(done_shards(writer, plan, loaded, relabel=False)) == writer.n_shards:
        return _complete(complete, loaded, keep_text=keep_text, say=say)
    done = done_shards(writer, plan, loaded, keep_text=keep_text)
    if keep_text and plan.condition.generates:
        check_text_is_kept(writer, done)
    read_missing_shards(
        judge, plan, loaded, writer, done=done, budget=reading.budget, share_prefixes=share_prefixes,
        max_invalid=max_invalid, say=say, shown=not quiet, poolings=reading.poolings, keep_text=keep_text,
    )  # fmt: skip
    finished = finalize_cache(folder)
    _report(finished, folder, judge.n_layers, say=say)
    return FeatureCache.open(folder)


def _complete(cache: FeatureCache, items: Items, *, keep_text: bool, say: Say) -> FeatureCache:
    if keep_text and "text" not in cache.items.columns:
        raise LagerError(
            f"cache {cache.path} is complete, without the prompts' text: choose another folder for --keep-text"
        )
    if not cache.items.select(items.table.columns).equals(items.table):
        raise LagerError(
            f"cache {cache.path} is complete and holds other scores or columns than the input: join new scores with "
            "--scores when training or evaluating, or choose another folder for --cache"
        )
    say(f"cache {cache.path} is complete already: {cache.n_items} items")
    return cache


def _report(finished: Finalized, folder: Path, n_layers: int, *, say: Say) -> None:
    """Say what was written, and how much of the model's probability the score tokens hold."""
    say(f"wrote {folder}: {finished.rows} items, {finished.valid} valid, {n_layers} layers")
    for reason, n in finished.reasons.items():
        say(f"  not valid: {n}, {reason}")
    mass = finished.score_mass
    if mass is None:
        return
    say(f"score mass: median {mass:.3f}")
    if mass < LOW_MASS:
        say(
            f"warning: at the read-out the model gives the score labels a median probability of {mass:.3f}, expected "
            f"{LOW_MASS:g} or more: look at the prompt's end, the chat template, --answer-prefix and --scale"
        )


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _silent(line: str) -> None:
    """Say nothing."""

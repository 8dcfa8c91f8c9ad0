"""Reading a few items of a cache again, with the model at hand, and comparing them with what the cache says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.manifest import RUN, differing, read_run
from ...data.cache.shard_rows import TOLERANCE, exceeding, join_rows, row_differences, take_rows
from ...data.cache.shards import ShardData
from ...data.errors import LagerError
from ...data.files.canonical import sha256_json
from ...data.items.items import Items
from ...data.open_items import load_items
from ...data.progress import Say
from ...data.scale import Scale
from ...data.templates.template import Template
from ..model.judge import Judge, load_judge, locate_checkpoint, require_extra
from ..options.groups import DEFAULT_BATCH_TOKENS, LoadOptions, PromptOptions
from ..options.option import make, options_of
from ..prompts.chat import find_chat
from ..prompts.condition import choose_condition
from ..prompts.prompt_format import PromptFormat
from ..readout.batches import BatchBudget

# Batches and devices change low bits: in float32 the seventh digit, in half precision the third.
_ALLOWED = {"float32": TOLERANCE, "float16": 2e-2, "bfloat16": 1e-1}
_CHECKPOINT = ("weights", "config", "tokenizer")


class Reread(NamedTuple):
    """How a sample that was read again compares with the cache.

    Attributes
    ----------
    n_items : int
        Size of the sample.
    largest : dict of str to float
        By dataset the largest difference, relative to values above 1; infinite where text or whole numbers differ.
    differing : dict of str to list of str
        By item id the datasets that differ by more than `tolerance`.
    tolerance : float
        What was allowed.
    """

    n_items: int
    largest: dict[str, float]
    differing: dict[str, list[str]]
    tolerance: float


def reread_sample(
    model: str | Path, cache: FeatureCache, *, items: str | Path | Items | None = None, sample: int = 32,
    seed: int = 42, tolerance: float | None = None, load: LoadOptions, say: Say = print,
) -> Reread:  # fmt: skip
    """Read a random sample of a cache's items again, in the cache's own way, and compare."""
    _check_made_by_extraction(cache)
    require_extra()
    rows = np.sort(np.random.default_rng(seed).choice(cache.n_items, size=min(sample, cache.n_items), replace=False))
    chosen, texts = _sampled_items(cache, rows, items)
    judge = _same_judge(model, cache, load)
    read = _read(judge, cache, chosen, texts, say=say)
    stored = _stored_rows(cache, rows)
    distances = row_differences(stored, read)
    if cache.private and not (cache.path / RUN).exists():
        distances.pop("prompt_sha256")
        say(f"the cache is private and without {RUN}, so prompts' hashes are not compared")
    allowed = _ALLOWED.get(judge.dtype, TOLERANCE) if tolerance is None else tolerance
    wrong = exceeding(distances, allowed)
    return Reread(
        len(rows),
        {name: float(far.max()) for name, far in distances.items()},
        {item: names for i, item in enumerate(stored.item_id) if (names := [n for n in wrong if wrong[n][i]])},
        allowed,
    )


def _check_made_by_extraction(cache: FeatureCache) -> None:
    """Raise `LagerError` for a cache that says too little of how it was read."""
    inputs = cache.manifest["fingerprint_inputs"]
    objects = (*_CHECKPOINT, "prompt", "scale", "condition", "readout")
    if inputs.get("backend") != "transformers" or not all(isinstance(inputs.get(name), dict) for name in objects):
        raise LagerError(f"cache {cache.path} was not made by `lager extract`: there is no way to read its items again")


def _sampled_items(
    cache: FeatureCache, rows: NDArray[np.intp], items: str | Path | Items | None
) -> tuple[Items, dict[str, str]]:
    """Return the sampled items, and their rendered prompts where the cache keeps them and no items are given."""
    ids = cache.items["item_id"][rows].to_list()
    kind = cache.manifest["fingerprint_inputs"]["prompt"]["kind"]
    if items is None:
        kept = cache.items["text"].count() if "text" in cache.items.columns else 0
        if not kept or cache.items["text"][rows].null_count():
            what = f"the prompts of {kept} of its {cache.n_items} items only" if kept else "no prompts"
            raise LagerError(f"cache {cache.path} keeps {what}: give the items that it was made of, --items FILE")
        texts = dict(zip(ids, cache.items["text"][rows].to_list(), strict=True))
        return Items(tuple(ids), tuple({} for _ in ids), kind, cache.items[rows]), texts
    loaded = items if isinstance(items, Items) else load_items(items)
    if loaded.kind != kind:
        raise LagerError(f"the items come as {loaded.kind}, those of cache {cache.path} came as {kind}: give its items")
    at = {name: row for row, name in enumerate(loaded.item_id)}
    if missing := [name for name in ids if name not in at]:
        raise LagerError(
            f"{len(missing)} of {len(ids)} sampled items of cache {cache.path} are not among the items given, the "
            f"first is {missing[0]!r}: give the items that it was made of"
        )
    return loaded.take([at[name] for name in ids]), {}


def _same_judge(model: str | Path, cache: FeatureCache, load: LoadOptions) -> Judge:
    """Load the model when its files are those that the cache was made with."""
    inputs, recorded = cache.manifest["fingerprint_inputs"], cache.manifest["recorded"]
    revision = None if Path(model).expanduser().exists() else recorded.get("revision")
    found = locate_checkpoint(model, replace(load, revision=revision)).hashes()
    _check_same(cache, model, found, {name: inputs[name] for name in _CHECKPOINT})
    quantization, modules = inputs.get("quantization") or {}, recorded.get("modules", {})
    norm = [] if modules.get("projection") else modules.get("norm") or []
    quantize = next((bits for bits in ("4bit", "8bit") if f"load_in_{bits}" in quantization), None)
    same = replace(
        load, revision=revision, dtype=inputs["dtype"], attn=inputs["attention"], quantize=quantize,
        layers_path=modules.get("layers"), norm_path=norm[0] if len(norm) == 1 else None,
    )  # fmt: skip
    return load_judge(model, same)


def _check_same(cache: FeatureCache, model: object, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise `LagerError` that names what differs, where something does."""
    if names := differing(found, expected):
        raise LagerError(
            f"{model} is not what cache {cache.path} was read with, or cannot be read in the same way here "
            f"({', '.join(names)} differ): give the model {cache.manifest['recorded'].get('model')} as it was then"
        )


@dataclass(frozen=True)
class _KeptFormat(PromptFormat):
    """A prompt format whose prompts were rendered before."""

    texts: Mapping[str, str] = field(default_factory=dict)

    def render(self, items: Items) -> list[str]:
        return [self.texts[name] for name in items.item_id] if self.texts else super().render(items)


def _stored_prompts(inputs: Mapping[str, Any]) -> PromptOptions:
    """Return the prompt options of a fingerprint, which has templates and scale as they were read, not named."""
    stored = {**inputs["prompt"], **inputs["condition"], "condition": inputs["condition"]["name"]}
    names = options_of(PromptOptions).keys() - {"template", "chat_template", "scale"}
    return make(PromptOptions, {name: stored[name] for name in names if name in stored})


def _stored_format(judge: Judge, inputs: Mapping[str, Any], texts: Mapping[str, str]) -> PromptFormat:
    """Return the prompt format that a fingerprint describes."""
    options, text = _stored_prompts(inputs), inputs["prompt"]["template"]
    # The tokenizer's own template, not the stored one: if they differ, so do the fingerprints. One of a file is stored
    # alone, and a stranger's is rendered by nobody.
    given = (inputs["prompt"]["chat_template"] or "") if inputs["prompt"].get("chat_template_given") else None
    if given and not texts:
        raise LagerError(
            "the cache was read with a chat template of a file: its items can be read again where it keeps their "
            "prompts (lager extract --keep-text), without --items"
        )
    chat = find_chat(judge.tokenizer, options.chat_args, given)
    template = None if text is None else Template("of the cache", text)
    scale = Scale.from_json({name: inputs["scale"][name] for name in ("labels", "values")})
    return _KeptFormat(judge.tokenizer, scale, options, template=template, chat=chat, texts=texts)


def _read(judge: Judge, cache: FeatureCache, items: Items, texts: Mapping[str, str], *, say: Say) -> ShardData:
    """Read the items, after it was made sure that this is the cache's way of reading."""
    from ..planning.identity import cache_identity
    from ..planning.pass_limits import PassLimits
    from ..planning.planner import make_planner
    from .shard_reader import ShardReader

    inputs = cache.manifest["fingerprint_inputs"]
    prompt_format = _stored_format(judge, inputs, texts)
    budget = BatchBudget(cache.manifest["recorded"].get("batch_tokens", DEFAULT_BATCH_TOKENS), say)
    planner = make_planner(
        judge, prompt_format, items, budget=budget, stored_sep=inputs["scale"].get("separator"), say=say,
        condition=choose_condition(prompt_format.options),
    )  # fmt: skip
    poolings = tuple(inputs.get("hidden", ()))
    identity = cache_identity(judge, prompt_format, items, planner, batch_tokens=budget.tokens, poolings=poolings)
    if sha256_json(identity["inputs"]) != cache.fingerprint:
        _check_same(cache, judge.checkpoint.public_name, identity["inputs"], inputs)
    limits = PassLimits(judge, batch_tokens=budget.tokens, share_prefixes=False, say=say)
    reader = ShardReader(
        judge, planner, budget=budget, limits=limits, share_prefixes=False, advance=_ignore, say=say,
        poolings=poolings,
    )  # fmt: skip
    salt = bytes.fromhex(read_run(cache.path)["salt"]) if (cache.path / RUN).exists() else b""
    return reader.read(items.item_id, planner.plan(items), salt=salt)


def _stored_rows(cache: FeatureCache, rows: NDArray[np.intp]) -> ShardData:
    """Return some rows of a cache, in their order, a shard at a time."""
    parts, start = [], 0
    for number, shard in enumerate(cache.manifest["shards"]):
        here = rows[(rows >= start) & (rows < start + shard["rows"])] - start
        if len(here):
            parts.append(take_rows(cache.read_shard(number), here))
        start += shard["rows"]
    return join_rows(parts)


def _ignore(n: int) -> None:
    """Count nothing."""

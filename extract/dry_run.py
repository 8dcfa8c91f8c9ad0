"""What an extraction would cost, from the plan and one timed batch; nothing is written."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError
from ..data.items.lazy_items import ItemSource
from ..data.progress import silent, to_stderr
from ..data.run.shard_size import suggested_shard_size
from .model.judge import Judge
from .options.groups import ExtractOptions
from .planning.plan import Plan
from .planning.prepare import PreparedRun, prepare_run
from .prompts.inputs import size_text
from .readout.batches import is_out_of_memory, plan_batches
from .readout.steps import plan_steps, step_cost

_STEPS = 8
_TIMED_TOKENS = 512


class Cost(NamedTuple):
    """What an extraction would cost.

    Attributes
    ----------
    items, unreadable : int
        How many there are, and how many of them are too long or empty.
    tokens, computed_tokens : int
        Of the prompts, and what is computed for them (fewer where prompts share a beginning).
    new_tokens : int
        Most tokens that the judge may write.
    batches : int
        Forward passes that read.
    weight_bytes, batch_bytes : int
        Memory of the weights, and beside them of the largest batch: measured on CUDA, about that elsewhere.
    cache_bytes : int
        The cache before compression.
    seconds : float
        Time that reading takes, without loading the model.
    devices : list of str
        On which devices.
    """

    items: int
    unreadable: int
    tokens: int
    computed_tokens: int
    new_tokens: int
    batches: int
    weight_bytes: int
    batch_bytes: int
    cache_bytes: int
    seconds: float
    devices: list[str]

    def lines(self) -> list[str]:
        """Return what there is to say, for people."""
        written = f", up to {self.new_tokens:,} written" if self.new_tokens else ""
        return [
            f"items      {self.items:,}, {self.unreadable:,} of them too long or empty",
            f"tokens     {self.tokens:,}, {self.computed_tokens:,} computed{written}",
            f"batches    {self.batches:,}",
            f"memory     {size_text(self.weight_bytes)} of weights, {size_text(self.batch_bytes)} for a batch",
            f"cache      at most {size_text(self.cache_bytes)}",
            f"time       about {_duration(self.seconds)} on {', '.join(self.devices)}",
        ]


def dry_run(
    model: str | Path | Judge, items: str | Path | ItemSource, *, cache: str | Path, options: ExtractOptions,
    quiet: bool = False,
) -> Cost:  # fmt: skip
    """Load the judge, plan the extraction, time a batch and return what all of it would cost."""
    say = silent if quiet else to_stderr
    prepared = prepare_run(model, items, folder=Path(cache), options=options, say=say)
    judge, planner, n_items = prepared.judge, prepared.planner, len(prepared.items)
    new = planner.condition.max_new_tokens
    size = options.run.shard_size or suggested_shard_size(n_items)
    work = _count_work(prepared, size, share_prefixes=options.batches.share_prefixes, say=say)
    if not work.readable:
        raise LagerError(f"none of the {n_items} prompts can be read ({planner.settled.reasons[0]}): look at the items")
    order = np.argsort(-np.array(work.longest), kind="stable")
    batch = work.batch(prepared, int(order[len(order) // 2]))
    # A CPU reads many long prompts no faster than one after the other: as few are timed as a pass is worth.
    middle = batch[: -(-_TIMED_TOKENS // len(batch[0]))] if judge.devices == ["cpu"] else batch
    one_pass = plan_steps(middle, batch_tokens=max(map(len, middle)) * len(middle), share_prefixes=False)
    seconds = _timed(lambda: _read(prepared, middle)) * work.cost / step_cost(one_pass)
    if new:
        seconds += _writing_seconds(prepared, [text[: len(text) - new] for text in batch]) * len(work.longest)
    return Cost(
        items=n_items,
        unreadable=n_items - work.readable,
        tokens=work.tokens,
        computed_tokens=work.computed_tokens,
        new_tokens=new * work.readable,
        batches=work.steps,
        weight_bytes=sum(weight.numel() * weight.element_size() for weight in judge.model.parameters()),
        batch_bytes=_batch_bytes(prepared, work.batch(prepared, int(order[0]))),
        cache_bytes=_cache_bytes(prepared),
        seconds=seconds,
        devices=judge.devices,
    )


@dataclass
class _Work:
    """What the shards have to do with, summed up; of each batch only where it is found again."""

    shard_size: int
    readable: int = 0
    tokens: int = 0
    computed_tokens: int = 0
    steps: int = 0
    cost: float = 0.0
    longest: array[int] = field(default_factory=lambda: array("q"))  # prompt of each batch when nothing is shared
    shards: array[int] = field(default_factory=lambda: array("q"))  # that the batch is in
    borders: dict[int, tuple[int, ...]] = field(default_factory=dict)  # of each shard

    def rows_of(self, n_items: int) -> Callable[[int], range]:
        """Return which rows a shard has."""
        return lambda k: range(k * self.shard_size, min((k + 1) * self.shard_size, n_items))

    def batch(self, prepared: PreparedRun, number: int) -> list[NDArray[np.int32]]:
        """Return the texts of a batch, what the judge may write included."""
        shard = self.shards[number]
        _, plan = prepared.planner.plan_rows(prepared.items, self.rows_of(len(prepared.items))(shard))
        texts = _texts(plan)
        batches = _batches(texts, prepared, self.borders[shard])
        return [texts[i] for i in batches[number - self.shards.index(shard)]]


def _count_work(prepared: PreparedRun, shard_size: int, *, share_prefixes: bool, say: Callable[[str], None]) -> _Work:
    """Plan every shard, one after the other."""
    from .planning.pass_limits import PassLimits
    from .planning.plans_ahead import planned_shards
    from .planning.prefix_sharing import Sharing

    work, n_items, budget = _Work(shard_size), len(prepared.items), prepared.budget
    new = prepared.planner.condition.max_new_tokens
    wanted = share_prefixes and not prepared.poolings
    limits = PassLimits(prepared.judge, batch_tokens=budget.tokens, share_prefixes=wanted, say=say)
    sharing = Sharing(limits)
    shards = range(-(-n_items // shard_size))
    for k, (_, plan) in planned_shards(prepared.planner, prepared.items, work.rows_of(n_items), shards):
        texts = _texts(plan)
        if not texts:
            continue
        share = sharing.shares(plan)
        borders = work.borders[k] = limits.settle(texts, plan.tokens.label_ids)
        batch_tokens = budget.tokens = 1 if limits.alone else budget.tokens
        steps = plan_steps(texts, batch_tokens=batch_tokens, share_prefixes=share, borders=borders)
        batches = _batches(texts, prepared, borders)
        work.readable += len(texts)
        work.tokens += sum(len(text) - new for text in texts)
        work.computed_tokens += sum(step.n_tokens for step in steps)
        work.steps += len(steps)
        work.cost += step_cost(steps)
        work.longest.extend(max(len(texts[i]) for i in batch) for batch in batches)
        work.shards.extend([k] * len(batches))
    return work


def _texts(plan: Plan) -> list[NDArray[np.int32]]:
    """Return the prompts that can be read, each with the most that the judge may write: a text may end earlier."""
    new = plan.condition.max_new_tokens
    pairs = zip(plan.prompts, plan.reasons, strict=True)
    return [np.concatenate([prompt, np.resize(prompt, new)]) for prompt, reason in pairs if not reason]


def _batches(texts: Sequence[NDArray[np.int32]], prepared: PreparedRun, borders: Sequence[int]) -> list[list[int]]:
    """Return plain batches: what is read at once where nothing is shared."""
    return plan_batches([len(text) for text in texts], batch_tokens=prepared.budget.tokens, borders=borders)


def _read(prepared: PreparedRun, texts: Sequence[NDArray[np.int32]]) -> None:
    """Read a batch and drop the result."""
    from .readout.hidden_states import read_hidden_batch
    from .readout.readout import read_batch

    judge, label_ids = prepared.judge, prepared.planner.tokens.label_ids
    lengths = [len(text) for text in texts]
    try:
        if prepared.poolings:
            read_hidden_batch(
                judge.parts, texts, label_ids, n_prompt=lengths, poolings=prepared.poolings, pad_id=judge.pad_id
            )
        else:
            read_batch(judge.parts, texts, label_ids, pad_id=judge.pad_id)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise LagerError(
            f"a batch of {max(lengths) * len(texts)} padded tokens does not fit into memory: lower --batch-tokens "
            "(the extraction itself would do so and go on)"
        ) from None


def _writing_seconds(prepared: PreparedRun, prompts: Sequence[NDArray[np.int32]]) -> float:
    """Return how long one batch takes to write as much as it may: a few steps are timed, and the first apart."""
    from .readout.generate import generate_batch

    new = prepared.planner.condition.max_new_tokens
    # Without a token that ends a text every step is taken.
    first = _timed(lambda: generate_batch(prepared.judge, prompts, max_new_tokens=1, stop_ids=()))
    more = _timed(lambda: generate_batch(prepared.judge, prompts, max_new_tokens=1 + _STEPS, stop_ids=()))
    return first + max(more - first, 0.0) / _STEPS * (new - 1)


def _timed(work: Callable[[], object]) -> float:
    """Return the seconds of the second of two runs: the first warms up."""
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _batch_bytes(prepared: PreparedRun, texts: Sequence[NDArray[np.int32]]) -> int:
    """Return the memory of a batch beside the weights."""
    import torch

    judge = prepared.judge
    devices = {weight.device for weight in judge.model.parameters()}
    if all(device.type == "cuda" for device in devices):
        before = {device: torch.cuda.memory_allocated(device) for device in devices}
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        _read(prepared, texts)
        return sum(torch.cuda.max_memory_allocated(device) - before[device] for device in devices)
    config = judge.model.config.get_text_config()
    width = judge.parts.head.weight.shape[1]
    inner = getattr(config, "intermediate_size", None) or 4 * width
    # One block at a time: its input, normed input, queries, keys, values and output, and two products of the MLP.
    per_token = 8 * width + 2 * int(inner)
    if prepared.planner.condition.generates:
        per_token += 2 * judge.n_layers * width  # keys and values, at most
    return max(map(len, texts)) * len(texts) * per_token * judge.parts.head.weight.element_size()


def _cache_bytes(prepared: PreparedRun) -> int:
    """Return the size of what would be stored, before compression."""
    from .readout.hidden_states import hidden_bytes

    n = len(prepared.items)
    readouts = 2 * 4 * (prepared.judge.n_layers + 1) * len(prepared.planner.tokens.label_ids)
    return n * (readouts + 32 + 3 * 4 + 1) + hidden_bytes(prepared.judge, n, prepared.poolings)


def _duration(seconds: float) -> str:
    """Return a time for people."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

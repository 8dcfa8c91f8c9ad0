"""Reading items as they come, without a cache: one loaded judge, and any number of items one part after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ...data.cache.shards import ShardData
from ...data.errors import LagerError
from ...data.files.canonical import sha256_json
from ...data.items.items import Items
from ...data.progress import Say
from ..model.judge import Judge
from ..options.groups import BatchOptions
from ..planning.identity import cache_identity, readout_inputs
from ..planning.pass_limits import PassLimits
from ..planning.plan import NoReadablePromptError, Plan
from ..planning.planner import Planner, make_planner
from ..planning.prefix_sharing import Sharing
from ..planning.versions import library_versions
from ..prompts.condition import choose_condition
from ..prompts.prompt_format import PromptFormat
from ..readout.batches import BatchBudget
from .shard_reader import ShardReader


class LiveReader:
    """Reads parts of items in turn; what the first part settles (separator, score tokens) holds for all.

    Parameters
    ----------
    judge : Judge
        The model, or its first blocks alone; entries that are not computed are NaN.
    prompt_format : PromptFormat
        How items become prompts.
    batches : BatchOptions
        What is read together.
    say : callable
        Takes each line that the user should see.
    sep : str, optional
        What stands between prompt and label; settled on the first part when None.
    poolings : sequence of str
        Of the hidden states that are read too.
    advance : callable, optional
        Told the number of items after each batch.
    """

    def __init__(
        self,
        judge: Judge,
        prompt_format: PromptFormat,
        *,
        batches: BatchOptions,
        say: Say,
        sep: str | None = None,
        poolings: Sequence[str] = (),
        advance: Callable[[int], None] | None = None,
    ) -> None:
        self.judge, self.prompt_format, self.sep = judge, prompt_format, sep
        self.condition = choose_condition(prompt_format.options)
        self.poolings = tuple(poolings)
        self.inputs: dict[str, Any] | None = None
        self._budget = BatchBudget(batches.batch_tokens, say)
        self._say = say
        self._advance = _ignore if advance is None else advance
        self._planner: Planner | None = None
        self._checked = False
        wanted = batches.share_prefixes and not poolings
        self._limits = PassLimits(judge, batch_tokens=batches.batch_tokens, share_prefixes=wanted, say=say)
        self._sharing = Sharing(self._limits)

    @property
    def n_layers(self) -> int:
        """The blocks of the whole model, L."""
        return self.judge.total_blocks or self.judge.n_layers

    @property
    def fingerprint(self) -> str | None:
        """The hash of how prompts are read, None before something was."""
        return None if self.inputs is None else sha256_json(self.inputs)

    @cached_property
    def readout_inputs(self) -> dict[str, Any]:
        """What a cache of this judge would say of its read-outs; reads all weights."""
        return readout_inputs(self.judge, self._hashes)

    @cached_property
    def _hashes(self) -> dict[str, Any]:
        """The hashes of the checkpoint's files: all weights are read, so once."""
        return dict(self.judge.checkpoint.hashes())

    @cached_property
    def versions(self) -> dict[str, str]:
        """The versions of the libraries that read."""
        return library_versions(self.judge)

    def read(self, items: Items) -> ShardData:
        """Return the read-outs of some items, L + 1 entries each; what cannot be read is not valid and says why."""
        try:
            plan = self._plan(items)
        except NoReadablePromptError as error:
            self._advance(len(items))
            return self._nothing(items, error.reason)
        reader = ShardReader(
            self.judge, self.planner, budget=self._budget, limits=self._limits,
            share_prefixes=self._sharing.shares(plan), advance=self._advance, say=self._say, poolings=self.poolings,
            checked=self._checked,
        )  # fmt: skip
        data = reader.read(items.item_id, plan)
        self._checked = reader.checked
        return self._padded(data)

    @property
    def planner(self) -> Planner:
        """What the first part that could be read settled."""
        if self._planner is None:
            raise ValueError("nothing has been read yet")
        return self._planner

    def _plan(self, items: Items) -> Plan:
        """Plan some items; the first ones settle separator and score tokens."""
        if self._planner is not None:
            return self._planner.plan(items)
        planner = make_planner(
            self.judge, self.prompt_format, items, budget=self._budget, stored_sep=self.sep, say=self._say,
            condition=self.condition,
        )  # fmt: skip
        if not self.judge.parts.whole and planner.tokens.sep != self.sep:
            raise LagerError(
                f"the first blocks alone cannot tell how the score follows the prompt, and {self.sep!r} between "
                "them, as in training, does not give one token a label here: end the prompts as in training"
            )
        identity = cache_identity(
            self.judge, self.prompt_format, items, planner, batch_tokens=self._budget.tokens, poolings=self.poolings,
            hashes=self._hashes,
        )  # fmt: skip
        self._planner, self.sep = planner, planner.tokens.sep
        self.inputs = identity["inputs"]
        return planner.plan_rows(items, range(len(items)))[1]

    def _padded(self, data: ShardData) -> ShardData:
        """Return the rows with entries of NaN for the blocks that are not loaded."""
        missing = self.n_layers - self.judge.n_layers
        if not missing:
            return data
        entries = ((0, 0), (0, missing), (0, 0))
        logits, normed = (np.pad(x, entries, constant_values=np.nan) for x in (data.logits, data.logits_normed))
        return replace(data, logits=logits, logits_normed=normed)

    def _nothing(self, items: Items, reason: str) -> ShardData:
        """Return rows none of which can be read."""
        n = len(items)
        unread = np.full((n, self.n_layers + 1, len(self.prompt_format.scale)), np.nan, dtype=np.float32)
        return ShardData(
            item_id=list(items.item_id),
            prompt_sha256=np.zeros((n, 32), dtype=np.uint8),
            n_tokens=np.zeros(n, dtype=np.int32),
            logits=unread,
            logits_normed=unread,
            logsumexp=np.full(n, np.nan, dtype=np.float32),
            position=np.full(n, -1, dtype=np.int32),
            valid=np.zeros(n, dtype=np.bool_),
            reason=[reason] * n,
        )


def _ignore(n: int) -> None:
    """Count nothing."""

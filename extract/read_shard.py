"""Reading the prompts of one shard, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..data.shards import ShardData
from .judge import Judge
from .plan import Plan
from .readout import read_steps
from .self_check import check_readout
from .steps import plan_steps

NOT_FINITE = "the read-out is not finite"


class ShardReader:
    """Reads shards of a plan; checks itself against the model on the first batch.

    Parameters
    ----------
    judge : Judge
        The model.
    plan : Plan
        All prompts.
    batch_tokens : int
        Budget of a batch.
    share_prefixes : bool
        Whether what prompts share is computed once, where that saves work.
    advance : callable
        Told the number of items after each batch.

    Attributes
    ----------
    computed_tokens : int
        The tokens that were computed for the last shard, without padding: fewer than its prompts have where they share.
    """

    def __init__(
        self, judge: Judge, plan: Plan, *, batch_tokens: int, share_prefixes: bool, advance: Callable[[int], None]
    ) -> None:
        self.judge, self.plan, self.batch_tokens, self.advance = judge, plan, batch_tokens, advance
        self.share_prefixes = share_prefixes
        self.computed_tokens = 0
        self._checked = False

    def read(self, item_id: Sequence[str], rows: range, *, salt: bytes = b"") -> ShardData:
        """Return the rows of one shard, in input order.

        Rows whose prompt cannot be read, and rows whose read-out is not finite, are not valid and say why.

        Raises
        ------
        LagerError
            When the self-check fails.
        """
        n, n_labels = len(rows), len(self.plan.tokens.label_ids)
        logits = np.full((n, self.judge.n_layers + 1, n_labels), np.nan, dtype=np.float32)
        normed = logits.copy()
        logsumexp = np.full(n, np.nan, dtype=np.float32)
        reasons = [self.plan.reasons[row] for row in rows]
        prompts = [self.plan.prompts[row] for row in rows]
        readable = [i for i in range(n) if not reasons[i]]
        self.advance(n - len(readable))
        texts, labels = [prompts[i] for i in readable], self.plan.tokens.label_ids
        steps = plan_steps(texts, batch_tokens=self.batch_tokens, share_prefixes=self.share_prefixes)
        self.computed_tokens = sum(step.n_tokens for step in steps)
        for batch, readout in read_steps(self.judge.parts, texts, steps, labels, pad_id=self.judge.pad_id):
            members = [readable[i] for i in batch]
            if not self._checked:
                check_readout(self.judge, [texts[i] for i in batch], readout, labels)
                self._checked = True
            logits[members], normed[members], logsumexp[members] = readout
            self.advance(len(members))
        for i in readable:
            if not (np.isfinite(logits[i]).all() and np.isfinite(normed[i]).all() and np.isfinite(logsumexp[i])):
                logits[i] = normed[i] = logsumexp[i] = np.nan
                reasons[i] = NOT_FINITE
        lengths = np.array([len(prompt) for prompt in prompts], dtype=np.int32)
        valid = np.array([not reason for reason in reasons], dtype=bool)
        return ShardData(
            item_id=list(item_id),
            prompt_sha256=self.plan.hashes(rows, salt=salt),
            n_tokens=lengths,
            logits=logits,
            logits_normed=normed,
            logsumexp=logsumexp,
            position=np.where(valid, lengths - 1, -1).astype(np.int32),
            valid=valid,
            reason=reasons,
        )

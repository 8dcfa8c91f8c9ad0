"""Reading the prompts of shards, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.shards import ShardData
from ...data.progress import Say
from ..model.judge import Judge
from ..planning.pass_limits import PassLimits
from ..planning.plan import Passes, Plan
from ..planning.planner import Planner
from ..readout.batches import BatchBudget, equal_rows, plan_batches
from ..readout.hidden_states import HiddenStates, read_hidden_batch
from ..readout.likely_tokens import LOW_MASS, low_mass_warning, mean_probabilities
from ..readout.readout import Readout, read_steps
from ..readout.self_check import check_readout
from ..readout.steps import plan_steps
from .readout_positions import AnswerPositions, ReadoutPositions, prompt_ends

NOT_FINITE = "the read-out is not finite"


class ShardReader:
    """Reads shards; checks itself against the model on the first batch.

    Parameters
    ----------
    judge : Judge
        The model.
    planner : Planner
        What is settled for all shards.
    budget : BatchBudget
        Padded tokens of a batch.
    limits : PassLimits
        What the passes keep apart.
    share_prefixes : bool
        Whether what prompts share is computed once, where that saves work.
    advance : callable
        Told the number of items after each batch.
    say : callable
        Takes each line that the user should see.
    poolings : sequence of str
        Of the hidden states that are stored too; nothing is shared then, as they are pooled over whole prompts.
    keep_text : bool
        Whether generated text is stored.
    checked : bool
        Whether the model was checked before, by another reader.

    Attributes
    ----------
    computed_tokens : int
        The tokens that were computed for the last shard, without padding: fewer than its prompts have where they share.
    """

    def __init__(
        self,
        judge: Judge,
        planner: Planner,
        *,
        budget: BatchBudget,
        limits: PassLimits,
        share_prefixes: bool,
        advance: Callable[[int], None],
        say: Say,
        poolings: Sequence[str] = (),
        keep_text: bool = False,
        checked: bool = False,
    ) -> None:
        self.judge, self.advance, self.say = judge, advance, say
        self.limits, self.share_prefixes = limits, share_prefixes
        self.poolings = tuple(poolings)
        self.budget = budget
        self.answers = None if planner.forms is None else AnswerPositions(
            judge, planner.condition, planner.stop_ids, planner.forms, budget=budget, limits=limits,
            advance=advance, keep_text=keep_text,
        )  # fmt: skip
        self.computed_tokens = 0
        self.checked, self._warned = checked, False

    def read(self, item_id: Sequence[str], plan: Plan, *, salt: bytes = b"") -> ShardData:
        """Return the rows of one shard, planned as `plan`, in input order.

        Rows whose prompt cannot be read, whose generated text has no score, and whose read-out is not finite, are not
        valid and say why.
        """
        self.computed_tokens = 0
        positions = prompt_ends(plan) if self.answers is None else self.answers.find(plan)
        shape = (len(plan), self.judge.n_layers + 1)
        logits = np.full((*shape, len(plan.tokens.label_ids)), np.nan, dtype=np.float32)
        normed = logits.copy()
        logsumexp = np.full(len(plan), np.nan, dtype=np.float32)
        hidden = self._empty_hidden(shape)
        reasons = list(positions.reasons)
        n_tokens = np.array([len(prompt) for prompt in plan.prompts], dtype=np.int32)
        readable = [i for i, reason in enumerate(reasons) if not reason]
        # Where the judge writes first, items were counted when they were written.
        advance = self.advance if self.answers is None else _ignore
        advance(len(plan) - len(readable))
        for members, readout, states in self._read(plan, positions, n_tokens, readable):
            logits[members], normed[members], logsumexp[members] = readout
            for name, values in states.items():
                hidden[f"hidden_{name}"][members], hidden[f"hidden_scale_{name}"][members] = values
            advance(len(members))
        # The first blocks alone have no log-sum-exp.
        arrays = (logits, normed, *((logsumexp,) if self.judge.parts.whole else ()), *hidden.values())
        for i in readable:
            if not all(np.isfinite(array[i]).all() for array in arrays):
                reasons[i] = NOT_FINITE
                for array in arrays:
                    array[i] = np.nan
        valid = np.array([not reason for reason in reasons], dtype=bool)
        self._warn(positions, normed, logsumexp, np.flatnonzero(valid))
        return ShardData(
            item_id=list(item_id),
            prompt_sha256=plan.hashes(salt=salt),
            n_tokens=n_tokens,
            logits=logits,
            logits_normed=normed,
            logsumexp=logsumexp,
            position=np.where(valid, [len(tokens) - 1 for tokens in positions.tokens], -1).astype(np.int32),
            valid=valid,
            reason=reasons,
            optional={**positions.optional, **hidden},
        )

    def _read(
        self, plan: Plan, positions: ReadoutPositions, n_tokens: NDArray[np.int32], readable: Sequence[int]
    ) -> Iterator[tuple[list[int], Readout, dict[str, HiddenStates]]]:
        """Read rows, those of one label form at a time, and yield them in batches."""
        planned = plan.passes if self.share_prefixes and self.answers is None else None
        for label_ids in sorted({positions.label_ids[i] for i in readable}):
            rows = [i for i in readable if positions.label_ids[i] == label_ids]
            prompts = [positions.tokens[i] for i in rows]
            self.limits.settle(prompts, label_ids)
            read = partial(self._passes, prompts, n_tokens[rows], label_ids, planned=planned)
            for batch, (readout, hidden) in self.budget.read([len(prompt) for prompt in prompts], read):
                if not self.checked:
                    check_readout(self.judge, [prompts[i] for i in batch], readout, label_ids)
                    self.checked = True
                yield [rows[i] for i in batch], readout, hidden

    def _passes(
        self,
        prompts: Sequence[NDArray[np.int32]],
        n_tokens: NDArray[np.int32],
        label_ids: Sequence[int],
        rows: Sequence[int],
        batch_tokens: int,
        *,
        planned: Passes | None,
    ) -> Iterator[tuple[list[int], tuple[Readout, dict[str, HiddenStates]]]]:
        """Run the forward passes over some prompts, and yield the rows that each of them read."""
        parts, pad_id = self.judge.parts, self.judge.pad_id
        texts, borders = [prompts[row] for row in rows], self.limits.borders
        batch_tokens = 1 if self.limits.alone else batch_tokens
        if self.poolings:
            # Pooled over the prompt alone, which may be another part of the same text.
            alike = equal_rows(np.append(text, n_tokens[row]) for row, text in zip(rows, texts, strict=True))
            firsts = [texts[same[0]] for same in alike]
            for batch in plan_batches([len(text) for text in firsts], batch_tokens=batch_tokens, borders=borders):
                some = [firsts[n] for n in batch]
                self.computed_tokens += sum(map(len, some))
                readout, hidden = read_hidden_batch(
                    parts, some, label_ids, n_prompt=[int(n_tokens[rows[alike[n][0]]]) for n in batch],
                    poolings=self.poolings, pad_id=pad_id,
                )  # fmt: skip
                of = [at for at, n in enumerate(batch) for _ in alike[n]]
                members = [rows[i] for n in batch for i in alike[n]]
                states = {name: HiddenStates(h.states[of], h.scale[of]) for name, h in hidden.items()}
                yield members, (Readout(*(v[of] for v in readout)), states)
            return
        same = planned is not None and (planned.batch_tokens, planned.borders) == (batch_tokens, borders)
        if planned is not None and same and len(texts) == len(prompts):
            steps = planned.steps
        else:  # after memory ran out, some rows are left and batches are smaller
            share = self.share_prefixes and not self.limits.alone
            steps = plan_steps(texts, batch_tokens=batch_tokens, share_prefixes=share, borders=borders)
        self.computed_tokens += sum(step.n_tokens for step in steps)
        for batch, readout in read_steps(parts, texts, steps, label_ids, pad_id=pad_id):
            yield [rows[i] for i in batch], (readout, {})

    def _empty_hidden(self, shape: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Return the arrays of a shard's hidden states, to be filled."""
        width = self.judge.parts.head.weight.shape[1]
        states = {f"hidden_{name}": np.full((*shape, width), np.nan, np.float16) for name in self.poolings}
        return states | {f"hidden_scale_{name}": np.full(shape, np.nan, np.float32) for name in self.poolings}

    def _warn(
        self,
        positions: ReadoutPositions,
        normed: NDArray[np.float32],
        logsumexp: NDArray[np.float32],
        valid: NDArray[np.intp],
    ) -> None:
        """Say once when the labels hold little of the probability; at prompts' ends the plan says so earlier."""
        if self.answers is None or self._warned or not len(valid):
            return
        mass = float(np.exp(normed[valid, -1] - logsumexp[valid, None]).sum(axis=1).mean())
        if mass < LOW_MASS:
            tokens, label_ids = [positions.tokens[i] for i in valid], positions.label_ids[valid[0]]
            probabilities = mean_probabilities(self.judge, tokens, budget=self.budget)
            self.say(low_mass_warning(self.judge, probabilities, label_ids, mass=mass))
            self._warned = True


def _ignore(n: int) -> None:
    """Count nothing."""

"""Where in each row of a shard the judge is read, and which token stands for which label there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..model.judge import Judge
from ..planning.pass_limits import PassLimits
from ..planning.plan import Plan
from ..prompts.condition import Condition
from ..prompts.generated_labels import NO_FORM, LabelForms, find_score, token_pieces
from ..readout.batches import BatchBudget, equal_rows, plan_batches
from ..readout.generate import Generated, check_padding, generate_batch

NO_SCORE = "the generated text has no score label"
NO_COUNTERPARTS = "the score is written as a token that other labels lack"


class ReadoutPositions(NamedTuple):
    """Where the rows of a shard are read.

    Attributes
    ----------
    tokens : list of ndarray of shape (n_tokens,)
        Token ids up to the read-out position: the prompt, and what the judge wrote before its score.
    label_ids : list of tuple of int
        The score tokens of each row.
    reasons : list of str
        Why a row cannot be read, empty where it can.
    optional : dict
        Further datasets of the shard.
    """

    tokens: list[NDArray[np.int32]]
    label_ids: list[tuple[int, ...]]
    reasons: list[str]
    optional: dict[str, Any]


def prompt_ends(plan: Plan) -> ReadoutPositions:
    """Return the ends of the prompts, where a judge is read that writes nothing."""
    return ReadoutPositions(list(plan.prompts), [plan.tokens.label_ids] * len(plan), list(plan.reasons), {})


class AnswerPositions:
    """Lets the judge write, and finds where in its text the score is.

    Parameters
    ----------
    judge : Judge
        The model.
    condition, stop_ids
        As those of `lager.extract.planning.plan.Plan`.
    forms : LabelForms
        Which tokens are labels.
    budget : BatchBudget
        Padded tokens of a batch, the new ones included.
    limits : PassLimits
        What the passes keep apart.
    advance : callable
        Told the number of items after each batch.
    keep_text : bool
        Whether the generated text is stored.
    """

    def __init__(
        self,
        judge: Judge,
        condition: Condition,
        stop_ids: tuple[int, ...],
        forms: LabelForms,
        *,
        budget: BatchBudget,
        limits: PassLimits,
        advance: Callable[[int], None],
        keep_text: bool,
    ) -> None:
        self.judge, self.forms, self.budget, self.limits = judge, forms, budget, limits
        self.condition, self.stop_ids = condition, stop_ids
        self.advance, self.keep_text = advance, keep_text
        self._checked = False

    def find(self, plan: Plan) -> ReadoutPositions:
        """Let the judge write, and return the positions before its scores."""
        reasons, tokens = list(plan.reasons), list(plan.prompts)
        form = np.zeros(len(plan), dtype=np.uint8)
        texts = [""] * len(plan)
        readable = [i for i, reason in enumerate(reasons) if not reason]
        self.advance(len(plan) - len(readable))
        alike = [[readable[n] for n in rows] for rows in equal_rows(tokens[i] for i in readable)]
        for batch, answers in self._answers([tokens[rows[0]] for rows in alike]):
            for rows, answer in zip((alike[n] for n in batch), answers, strict=True):
                reason, at, of_form = self._locate(answer)
                read_at = np.concatenate([tokens[rows[0]], answer.ids[:at]])
                # Text in HDF5 ends at a NUL: its symbol stands for it.
                text = self.judge.tokenizer.decode(answer.ids).replace("\0", "\u2400") if self.keep_text else ""
                for i in rows:
                    reasons[i], tokens[i], form[i], texts[i] = reason, read_at, of_form, text
            self.advance(sum(len(alike[n]) for n in batch))
        optional = {"label_form": form} | ({"generated": texts} if self.keep_text else {})
        return ReadoutPositions(tokens, [self.forms.ids[f] for f in form], reasons, optional)

    def _answers(self, prompts: list[NDArray[np.int32]]) -> Any:
        """Let the judge write after each prompt, and yield rows with their answers."""
        new = self.condition.max_new_tokens

        borders = self.limits.settle(prompts, self.forms.ids[0], new_tokens=new)

        def write(rows: list[int], batch_tokens: int) -> Any:
            for members in self._batches([lengths[row] for row in rows], batch_tokens, borders):
                batch = [rows[i] for i in members]
                texts = [prompts[row] for row in batch]
                if not self._checked:
                    check_padding(self.judge, texts)
                    self._checked = True
                yield batch, generate_batch(self.judge, texts, max_new_tokens=new, stop_ids=self.stop_ids)

        lengths = [len(prompt) + new for prompt in prompts]
        return self.budget.read(lengths, write)

    def _batches(self, lengths: list[int], batch_tokens: int, borders: Sequence[int]) -> Iterator[list[int]]:
        """Yield rows that write together; one that may pass a border while it writes does so alone."""
        new = self.condition.max_new_tokens
        both = sorted({*borders, *(border + new for border in borders)})
        batch_tokens = 1 if self.limits.alone else batch_tokens
        for rows in plan_batches(lengths, batch_tokens=batch_tokens, borders=both):
            passes = any(border < lengths[rows[0]] <= border + new for border in borders)
            yield from ([row] for row in rows) if passes else [rows]

    def _locate(self, answer: Generated) -> tuple[str, int, int]:
        """Return why there is no score, or "", with the index of its token and its form."""
        condition = self.condition
        if condition.must_end and not answer.ended:
            return f"the generated text was cut off after {condition.max_new_tokens} tokens", 0, 0
        ids = answer.ids.tolist()
        if condition.score_rule is None:
            raise LagerError("a condition that generates needs a score rule")
        score = find_score(ids, token_pieces(self.judge.tokenizer, ids), self.forms.tokens, rule=condition.score_rule)
        if score is None:
            return NO_SCORE, 0, 0
        return (NO_COUNTERPARTS, 0, 0) if score.form == NO_FORM else ("", score.at, score.form)

"""From items to plans, a shard at a time; what holds for all of them is settled on the first ones.

Settled once: the separator and the score tokens, on prompts that are looked at before anything is read. A run of no
more than `SETTLED_ROWS` items (fewer where prompts are very long) is planned whole at that time; of a longer one the
rest is when its shard's turn comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.items.items import Items
from ...data.items.lazy_items import ItemSource
from ...data.progress import Say
from ..model.judge import Judge
from ..prompts.condition import DIRECT, Condition
from ..prompts.generated_labels import LabelForms, find_label_forms
from ..prompts.notices import prompt_notices
from ..prompts.prompt_format import PromptFormat, prompt_array
from ..prompts.score_tokens import SEPARATORS, ScoreTokenResolver, ScoreTokens, resolve_all
from ..readout.batches import BatchBudget
from ..readout.generate import stop_token_ids
from ..readout.likely_tokens import SAMPLE
from .plan import NoReadablePromptError, Plan
from .separator import choose_separator

SETTLED_ROWS = 4096
SETTLED_CHARACTERS = 64 << 20
_PART = 256
_SHORTEN = "shorten a field with --truncate-field and --max-field-tokens"
_EMPTY = "the prompt is empty"
_UNKNOWN = "the prompt has tokens that the model's embedding lacks"


@dataclass(frozen=True)
class Planner:
    """Plans items in a way that is settled.

    Parameters
    ----------
    prompt_format : PromptFormat
        How items become prompts.
    tokens : ScoreTokens
        The score tokens; those of the first form where the judge writes before it is read.
    resolver : ScoreTokenResolver or None
        Finds them after each prompt; None where the judge writes first.
    longest : int or None
        The most tokens that a prompt may have.
    n_embedded : int
        The token ids that the model has are those below.
    too_long : str
        What is said of longer ones.
    condition, forms, stop_ids
        As those of `lager.extract.planning.plan.Plan`.
    settled : Plan
        Of the first items.
    example : str
        An item after whose prompt the score tokens are `tokens`.
    """

    prompt_format: PromptFormat
    tokens: ScoreTokens
    resolver: ScoreTokenResolver | None
    longest: int | None
    n_embedded: int
    too_long: str
    condition: Condition
    forms: LabelForms | None
    stop_ids: tuple[int, ...]
    settled: Plan
    example: str = ""

    @property
    def prompt_faults(self) -> frozenset[str]:
        """The reasons that are a prompt's own fault, not of reading it."""
        return frozenset({self.too_long, _EMPTY, _UNKNOWN})

    def fault(self, prompt: NDArray[np.int32]) -> str:
        """Return why a prompt cannot be read, empty where it can."""
        if not len(prompt):
            return _EMPTY
        if not _fits(prompt, self.longest):
            return self.too_long
        return _UNKNOWN if int(prompt.max()) >= self.n_embedded else ""

    def plan_rows(self, items: ItemSource, rows: range) -> tuple[Items, Plan]:
        """Return consecutive items with their plan; that of the first ones is there already."""
        part = items.part(rows)
        return part, self.settled.part(rows) if rows.stop <= len(self.settled) else self.plan(part)

    def plan(self, items: Items) -> Plan:
        """Render and tokenise items."""
        texts = self.prompt_format.render(items)
        return _finished(self, _Rendered(items.item_id, texts, self.prompt_format.token_arrays(texts)))


class _Rendered(NamedTuple):
    """Prompts as text and as token ids, before anything is added for a label to follow."""

    item_id: Sequence[str]
    texts: list[str]
    ids: list[NDArray[np.int32]]

    def take(self, rows: Sequence[int]) -> _Rendered:
        """Return some of them."""
        item_id, texts, ids = self
        return _Rendered([item_id[row] for row in rows], [texts[row] for row in rows], [ids[row] for row in rows])


def _first_prompts(prompt_format: PromptFormat, items: ItemSource) -> _Rendered:
    """Render and tokenise the first items: `SETTLED_ROWS` of them, fewer where they have `SETTLED_CHARACTERS`."""
    item_id, texts, ids = list[str](), list[str](), list[NDArray[np.int32]]()
    n, n_characters = min(len(items), SETTLED_ROWS), 0
    for start in range(0, n, _PART):
        part = items.part(range(start, min(start + _PART, n)))
        some = prompt_format.render(part)
        item_id += part.item_id
        texts += some
        ids += prompt_format.token_arrays(some)
        n_characters += sum(map(len, some))
        if n_characters > SETTLED_CHARACTERS:
            break
    return _Rendered(item_id, texts, ids)


def _finished(planner: Planner, rendered: _Rendered) -> Plan:
    """Return the plan of rendered and tokenised prompts."""
    prompts = list(rendered.ids)
    if planner.resolver is not None:
        short = [row for row, prompt in enumerate(prompts) if _fits(prompt, planner.longest)]
        resolve_all(planner.resolver, *rendered.take(short), expected=planner.tokens, example=planner.example)
        for row in short:
            prompts[row] = prompt_array(planner.resolver.prompt_ids(rendered.texts[row], prompts[row]))
    reasons = [planner.fault(prompt) for prompt in prompts]
    return Plan(prompts, reasons, planner.tokens, rendered.texts, planner.condition, planner.forms, planner.stop_ids)


def _fits(prompt: NDArray[np.int32], longest: int | None) -> bool:
    """Return whether the model takes a prompt of this length."""
    return longest is None or len(prompt) <= longest


def make_planner(
    judge: Judge, prompt_format: PromptFormat, items: ItemSource, *, budget: BatchBudget, stored_sep: str | None,
    say: Say, condition: Condition = DIRECT,
) -> Planner:  # fmt: skip
    """Render and tokenise the first items, and settle on them what holds for all."""
    first = _first_prompts(prompt_format, items)
    if condition.generates:
        planner = _answer_planner(judge, prompt_format, condition, say=say)
    else:
        planner = _prompt_planner(judge, prompt_format, first, budget=budget, stored_sep=stored_sep, say=say)
    settled = _finished(planner, first)
    for line in prompt_notices(prompt_format, items, first.texts):
        say(line)
    _tell_of_long_prompts(settled, planner.too_long, n_items=len(items), limit=judge.context_length, say=say)
    _tell_of_unknown_tokens(settled, judge.n_embedded, say=say)
    return replace(planner, settled=settled)


def _tell_of_long_prompts(settled: Plan, too_long: str, *, n_items: int, limit: int | None, say: Say) -> None:
    """Say how many prompts are too long, as far as they are planned; an error when all of them are."""
    over, n = settled.reasons.count(too_long), len(settled)
    new = settled.condition.max_new_tokens
    if over == n:
        more = f" with {new} new tokens are longer than {limit}" if new else f" are longer than the model's {limit}"
        message = f"all {n if n == n_items else f'of the first {n}'} prompts{more} tokens: {_SHORTEN}"
        raise NoReadablePromptError(message, too_long)
    of = f"{over} of {n if n == n_items else f'the first {n}'} prompts"
    if over and new:
        say(f"{of} are not read: {too_long}; {_SHORTEN}, or lower --max-new-tokens")
    elif over:
        say(f"{of} are longer than the model's {limit} tokens and are not read: {_SHORTEN}")


def _tell_of_unknown_tokens(settled: Plan, n_embedded: int, *, say: Say) -> None:
    """Say how many prompts have tokens that the model lacks, as far as they are planned; an error when all have."""
    over, n = settled.reasons.count(_UNKNOWN), len(settled)
    if over == n:
        raise _all_unknown(n_embedded)
    if over:
        say(f"{over} of {n} prompts are not read: {_UNKNOWN}; give the tokenizer that belongs to the model")


def _all_unknown(n_embedded: int) -> NoReadablePromptError:
    """Return the error for prompts none of which the model has all tokens of."""
    return NoReadablePromptError(
        f"all prompts have token ids that the model's embedding of {n_embedded} lacks: give the tokenizer that belongs "
        "to the model, or resize its embedding",
        _UNKNOWN,
    )


def _check_labels(judge: Judge, forms: Sequence[Sequence[int]]) -> None:
    """Raise `LagerError` when a label's token has no logit."""
    if missing := [token for ids in forms for token in ids if token >= judge.n_scored]:
        raise LagerError(
            f"a label's token, {missing[0]}, has no logit ({judge.n_scored} tokens have one): give the tokenizer that "
            "belongs to the model"
        )


def _prompt_planner(
    judge: Judge, prompt_format: PromptFormat, first: _Rendered, *, budget: BatchBudget, stored_sep: str | None,
    say: Say,
) -> Planner:  # fmt: skip
    """Return the planner of prompts that are read at their ends, with the separator that suits the first ones."""
    limit = judge.context_length
    too_long = f"the prompt is longer than the model's {limit} tokens"
    short = first.take([row for row, prompt in enumerate(first.ids) if _fits(prompt, limit)])
    if not short.ids:
        message = f"all {len(first.ids)} prompts are longer than the model's {limit} tokens: {_SHORTEN}"
        raise NoReadablePromptError(message, too_long)
    short = short.take([row for row, prompt in enumerate(short.ids) if prompt.max(initial=0) < judge.n_embedded])
    if not short.ids:
        raise _all_unknown(judge.n_embedded)
    resolvers = {sep: ScoreTokenResolver(prompt_format.tokenize, judge.tokenizer, prompt_format.scale, sep)
                 for sep in SEPARATORS}  # fmt: skip
    choices = _resolve(resolvers, short)
    _check_labels(judge, [tokens.label_ids for tokens in choices.values()])
    if stored_sep in choices:
        sep = stored_sep
    else:
        sample = short.take([row for row, prompt in enumerate(short.ids) if len(prompt)][:SAMPLE])
        pairs = list(zip(sample.texts, sample.ids, strict=True))
        sampled = {sep: [prompt_array(resolvers[sep].prompt_ids(*pair)) for pair in pairs] for sep in choices}
        sep = choose_separator(judge, choices, sampled, budget=budget, say=say)
    tokens = choices[sep]
    return Planner(
        prompt_format, tokens, resolvers[sep], limit, judge.n_embedded, too_long, DIRECT, None, (),
        Plan([], [], tokens, []), example=short.item_id[0],
    )  # fmt: skip


def _answer_planner(judge: Judge, prompt_format: PromptFormat, condition: Condition, *, say: Say) -> Planner:
    """Return the planner of a condition in which the judge writes: prompts as they are, and all forms of the labels."""
    forms = find_label_forms(prompt_format.tokenize, judge.tokenizer, prompt_format.scale)
    _check_labels(judge, forms.ids)
    names: Any = judge.tokenizer.convert_ids_to_tokens
    say(f"score tokens {' or '.join(str(names(list(form))) for form in forms.ids)} in generated text")
    limit, new = judge.context_length, condition.max_new_tokens
    no_room = f"the prompt and {new} new tokens are longer than the model's {limit} tokens"
    tokens, longest = ScoreTokens("", forms.ids[0], ()), None if limit is None else limit - new
    return Planner(
        prompt_format, tokens, None, longest, judge.n_embedded, no_room, condition, forms, stop_token_ids(judge),
        Plan([], [], tokens, []),
    )  # fmt: skip


def _resolve(resolvers: Mapping[str, ScoreTokenResolver], prompts: _Rendered) -> dict[str, ScoreTokens]:
    """Return the separators under which every label is one token, with the score tokens."""
    found, errors = {}, []
    for sep, resolver in resolvers.items():
        try:
            found[sep] = resolve_all(resolver, *prompts)
        except LagerError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found

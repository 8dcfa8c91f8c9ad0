"""The plan of a run: every prompt's token ids, the score tokens, and which prompts cannot be read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.errors import LagerError
from ..data.items import Items
from .batches import plan_batches
from .condition import DIRECT, Condition
from .generate import stop_token_ids
from .judge import Judge
from .label_forms import LabelForms, find_label_forms
from .likely_tokens import LOW_MASS, SAMPLE, low_mass_warning
from .out_of_memory import BatchBudget
from .prompts import PromptFormat, prompt_array
from .readout import Readout, read_batch
from .score_tokens import SEPARATORS, ScoreTokenResolver, ScoreTokens, resolve_all

Say = Callable[[str], None]


class NoReadablePromptError(LagerError):
    """Every prompt is longer than the model's context.

    Parameters
    ----------
    message : str
        What the user is told.
    reason : str
        Why a single row is not read.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Plan:
    """What will be read.

    Parameters
    ----------
    prompts : list of ndarray of shape (n_tokens,), int32
        Token ids of each item's prompt, ready for a label to follow.
    reasons : list of str
        Why a prompt cannot be read, empty where it can.
    tokens : ScoreTokens
        The score tokens; those of the first form where the judge writes before it is read.
    texts : list of str
        The rendered prompts.
    condition : Condition
        Whether the judge is read at the prompt's end, or after it wrote something.
    forms : LabelForms or None
        The tokens that are labels in generated text, None where nothing is generated.
    stop_ids : tuple of int
        The tokens that end generated text.
    """

    prompts: list[NDArray[np.int32]]
    reasons: list[str]
    tokens: ScoreTokens
    texts: list[str]
    condition: Condition = DIRECT
    forms: LabelForms | None = None
    stop_ids: tuple[int, ...] = ()

    def hashes(self, rows: range, *, salt: bytes = b"") -> NDArray[np.uint8]:
        """Return the sha256 of each row's token ids (little-endian int32), keyed by `salt`; shape (n_rows, 32)."""
        digests = [_digest(self.prompts[row].astype("<i4").tobytes(), salt) for row in rows]
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), 32)


def _digest(data: bytes, salt: bytes) -> bytes:
    return hmac.digest(salt, data, "sha256") if salt else hashlib.sha256(data).digest()


def make_plan(
    judge: Judge, prompt_format: PromptFormat, items: Items, *, budget: BatchBudget, stored_sep: str | None, say: Say,
    condition: Condition = DIRECT,
) -> Plan:  # fmt: skip
    """Render and tokenise all items, and settle the score tokens.

    Parameters
    ----------
    judge : Judge
        The model.
    prompt_format : PromptFormat
        How items become prompts.
    items : Items
        What is judged.
    budget : BatchBudget
        Of the batches in which separators are compared.
    stored_sep : str or None
        The separator of the run that is continued.
    say : callable
        Takes each line that the user should see.
    condition : Condition
        When the judge is read.

    Raises
    ------
    LagerError
        When an item cannot be rendered, labels are not single tokens, or no prompt fits (`NoReadablePromptError`).
    """
    texts = prompt_format.render(items)
    ids = prompt_format.tokenize(texts)
    limit = judge.context_length
    if condition.generates:
        return _answer_plan(judge, prompt_format, texts, ids, condition, say=say)
    short = [row for row, prompt in enumerate(ids) if limit is None or len(prompt) <= limit]
    if not short:
        message = f"all {len(ids)} prompts are longer than the model's {limit} tokens: {_SHORTEN}"
        raise NoReadablePromptError(message, _too_long(limit))
    resolvers = {sep: ScoreTokenResolver(prompt_format.tokenize, judge.tokenizer, prompt_format.scale, sep)
                 for sep in SEPARATORS}  # fmt: skip
    choices = _resolve(resolvers, items, texts, ids, short)
    sample = [row for row in short if ids[row]][:SAMPLE]
    if stored_sep in choices:
        sep = stored_sep
    else:
        sampled = {
            sep: [prompt_array(resolvers[sep].prompt_ids(texts[row], ids[row])) for row in sample] for sep in choices
        }
        sep = _choose(judge, choices, sampled, budget=budget, say=say)
    readable = set(short)
    prompts = [
        prompt_array(resolvers[sep].prompt_ids(text, row) if n in readable else row)
        for n, (text, row) in enumerate(zip(texts, ids, strict=True))
    ]
    reasons = [_reason(prompt, limit) for prompt in prompts]
    if over := sum(limit is not None and len(prompt) > limit for prompt in prompts):
        say(f"{over} of {len(prompts)} prompts are longer than the model's {limit} tokens and are not read: {_SHORTEN}")
    return Plan(prompts, reasons, choices[sep], texts)


def _answer_plan(
    judge: Judge,
    prompt_format: PromptFormat,
    texts: list[str],
    ids: Sequence[Sequence[int]],
    condition: Condition,
    *,
    say: Say,
) -> Plan:
    """Return the plan of a condition in which the judge writes: prompts as they are, and every form of the labels."""
    forms = find_label_forms(prompt_format.tokenize, judge.tokenizer, prompt_format.scale)
    names: Any = judge.tokenizer.convert_ids_to_tokens
    say(f"score tokens {' or '.join(str(names(list(form))) for form in forms.ids)} in generated text")
    limit, new = judge.context_length, condition.max_new_tokens
    prompts = [prompt_array(row) for row in ids]
    no_room = f"the prompt and {new} new tokens are longer than the model's {limit} tokens"
    long = [limit is not None and len(prompt) + new > limit for prompt in prompts]
    if all(long):
        message = f"all {len(ids)} prompts with {new} new tokens are longer than {limit} tokens: {_SHORTEN}"
        raise NoReadablePromptError(message, no_room)
    if any(long):
        say(f"{sum(long)} of {len(ids)} prompts are not read: {no_room}; {_SHORTEN}, or lower --max-new-tokens")
    reasons = [no_room if over else _reason(prompt, limit) for prompt, over in zip(prompts, long, strict=True)]
    tokens = ScoreTokens("", forms.ids[0], ())
    return Plan(prompts, reasons, tokens, texts, condition, forms, stop_token_ids(judge))


_SHORTEN = "shorten a field with --truncate-field and --max-field-tokens"


def _reason(prompt: NDArray[np.int32], limit: int | None) -> str:
    if not len(prompt):
        return "the prompt is empty"
    if limit is not None and len(prompt) > limit:
        return _too_long(limit)
    return ""


def _too_long(limit: int | None) -> str:
    return f"the prompt is longer than the model's {limit} tokens"


def _resolve(
    resolvers: Mapping[str, ScoreTokenResolver],
    items: Items,
    texts: Sequence[str],
    ids: Sequence[Sequence[int]],
    rows: Sequence[int],
) -> dict[str, ScoreTokens]:
    """Return the separators under which every label is one token, with the score tokens."""
    found, errors = {}, []
    names = [items.item_id[row] for row in rows]
    for sep, resolver in resolvers.items():
        try:
            found[sep] = resolve_all(resolver, names, [texts[row] for row in rows], [ids[row] for row in rows])
        except LagerError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


def _choose(
    judge: Judge,
    choices: Mapping[str, ScoreTokens],
    sampled: Mapping[str, Sequence[NDArray[np.int32]]],
    *,
    budget: BatchBudget,
    say: Say,
) -> str:
    """Return the separator with the larger mean score mass on the sample."""
    mass = {sep: _mean_mass(judge, sampled[sep], tokens, budget) for sep, tokens in choices.items()}
    best = max(mass, key=lambda sep: mass[sep])
    tokens = choices[best]
    names: Any = judge.tokenizer.convert_ids_to_tokens
    others = "".join(f", against {mass[sep]:.3f} with {sep!r}" for sep in mass if sep != best)
    after = f", after {names(list(tokens.prefix_ids))}" if tokens.prefix_ids else ""
    say(f"score tokens {names(list(tokens.label_ids))}{after}: separator {best!r}, score mass {mass[best]:.3f}{others}")
    if mass[best] < LOW_MASS:
        prompts = sampled[best]
        say(low_mass_warning(judge, prompts, tokens.label_ids, mass=mass[best], budget=budget))
    return best


def _mean_mass(judge: Judge, prompts: Sequence[NDArray[np.int32]], tokens: ScoreTokens, budget: BatchBudget) -> float:
    """Return the mean probability that the score tokens have together, as the model itself has it."""
    prompts = [prompt for prompt in prompts if len(prompt)]
    lengths = [len(prompt) for prompt in prompts]

    def read(rows: list[int], batch_tokens: int) -> Iterator[tuple[list[int], Readout]]:
        for members in plan_batches([lengths[row] for row in rows], batch_tokens=batch_tokens):
            batch = [rows[i] for i in members]
            yield batch, read_batch(judge.parts, [prompts[row] for row in batch], tokens.label_ids, pad_id=judge.pad_id)

    total = 0.0
    for _, readout in budget.read(lengths, read):
        masses = np.exp(readout.logits_normed[:, -1] - readout.logsumexp[:, None]).sum(axis=1)
        total += float(np.nan_to_num(masses).sum())
    return total / max(len(prompts), 1)

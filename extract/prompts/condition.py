"""Conditions: whether the judge is read right after the prompt, or after it wrote an answer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...data.errors import LagerError
from ..options.groups import PromptOptions

CONDITIONS = ("direct", "generate", "reasoning")
SCORE_RULES = ("marker", "last")
# The paper's budgets (section 4): up to 10 new tokens for the score alone, up to 256 with feedback.
_NEW_TOKENS = {"generate": 10, "reasoning": 256}
_RULE = {"generate": "last", "reasoning": "marker"}
# What counts as a marker changed: caches that were read by an earlier rule have another fingerprint.
_MARKER_VERSION = 2


@dataclass(frozen=True)
class Condition:
    """When a judge is read; made by `choose_condition`.

    Parameters
    ----------
    name : {"direct", "generate", "reasoning"}
        ``direct``: at the prompt's end. ``generate``: the judge writes a few tokens, greedily, and is read before the
        label among them, whether it came to an end or not. ``reasoning``: it writes feedback and a score first, and
        must come to an end.
    score_rule : {"marker", "last"} or None
        Which label of a generated text is the score; None where nothing is generated.
    max_new_tokens : int
        Longest generated text, 0 where nothing is generated.
    """

    name: str = "direct"
    score_rule: str | None = None
    max_new_tokens: int = 0

    @property
    def generates(self) -> bool:
        """Whether the judge writes before it is read."""
        return self.max_new_tokens > 0

    @property
    def must_end(self) -> bool:
        """Whether a text that was cut off has no score: what was to follow may have been another one."""
        return self.name == "reasoning"

    def as_json(self, stop_ids: tuple[int, ...]) -> dict[str, Any]:
        """Return what the fingerprint holds of it; `stop_ids` are the tokens that end a generated text."""
        if not self.generates:
            return {"name": self.name}
        return {
            "name": self.name,
            "score_rule": self.score_rule,
            **({"marker_version": _MARKER_VERSION} if self.score_rule == "marker" else {}),
            "max_new_tokens": self.max_new_tokens,
            "must_end": self.must_end,
            "decoding": "greedy",
            "stop_token_ids": list(stop_ids),
        }


DIRECT = Condition()


def choose_condition(options: PromptOptions) -> Condition:
    """Return the condition asked for, "direct" when none is, with its rules; the paper's where none are given."""
    name = "direct" if options.condition is None else options.condition
    score_rule, max_new_tokens = options.score_rule, options.max_new_tokens
    if name not in CONDITIONS:
        raise LagerError(f"--condition {name!r}: expected one of {', '.join(CONDITIONS)}")
    if score_rule is not None and score_rule not in SCORE_RULES:
        raise LagerError(f"--score-rule {score_rule!r}: expected one of {', '.join(SCORE_RULES)}")
    if max_new_tokens is not None and max_new_tokens < 1:
        raise LagerError(f"--max-new-tokens {max_new_tokens}: expected at least 1")
    if name == "direct":
        if score_rule is not None or max_new_tokens is not None:
            raise LagerError(
                "--score-rule and --max-new-tokens are about generated text, and --condition direct generates none: "
                "leave them out, or choose --condition generate or reasoning"
            )
        return DIRECT
    return Condition(name, score_rule or _RULE[name], max_new_tokens or _NEW_TOKENS[name])

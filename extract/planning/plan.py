"""The plan of some items, such as a shard's: token ids, score tokens, and which prompts cannot be read."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ..prompts.condition import DIRECT, Condition
from ..prompts.generated_labels import LabelForms
from ..prompts.score_tokens import ScoreTokens
from ..readout.steps import Step, plan_steps


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


class Passes(NamedTuple):
    """The forward passes over the prompts of a plan that can be read, with what they share computed once.

    Attributes
    ----------
    batch_tokens : int
        For batches of so many padded tokens.
    borders : tuple of int
        With prompts of at most so many tokens apart from longer ones.
    steps : list of Step
        The passes; plain batches where sharing saves nothing.
    """

    batch_tokens: int
    borders: tuple[int, ...]
    steps: list[Step]

    @property
    def share(self) -> bool:
        """Whether any of them continues a prefix."""
        return any(step.prefix for step in self.steps)


class Hashes(NamedTuple):
    """The hashes of the prompts of a plan.

    Attributes
    ----------
    salt : bytes
        What they are keyed with.
    sha256 : ndarray of shape (n, 32), uint8
        One for each prompt.
    """

    salt: bytes
    sha256: NDArray[np.uint8]


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
    passes : Passes or None
        The forward passes that share prefixes, where they were planned beforehand.
    hashed : Hashes or None
        The prompts' hashes, where they were computed beforehand.
    """

    prompts: list[NDArray[np.int32]]
    reasons: list[str]
    tokens: ScoreTokens
    texts: list[str]
    condition: Condition = DIRECT
    forms: LabelForms | None = None
    stop_ids: tuple[int, ...] = ()
    passes: Passes | None = None
    hashed: Hashes | None = None

    @property
    def readable(self) -> list[NDArray[np.int32]]:
        """The prompts that can be read."""
        return [prompt for prompt, reason in zip(self.prompts, self.reasons, strict=True) if not reason]

    def with_passes(self, batch_tokens: int, borders: tuple[int, ...] = ()) -> Plan:
        """Return the plan with its forward passes, should prefixes be shared."""
        steps = plan_steps(self.readable, batch_tokens=batch_tokens, borders=borders)
        return replace(self, passes=Passes(batch_tokens, borders, steps))

    def with_hashes(self, salt: bytes) -> Plan:
        """Return the plan with the hashes of its prompts, keyed by `salt`."""
        return replace(self, hashed=Hashes(salt, self.hashes(salt=salt)))

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.prompts)

    def part(self, rows: range) -> Plan:
        """Return the plan of consecutive prompts."""
        span = slice(rows.start, rows.stop)
        part = {name: getattr(self, name)[span] for name in ("prompts", "reasons", "texts")}
        return replace(self, **part, passes=None, hashed=None)

    def take(self, rows: Sequence[int]) -> Plan:
        """Return the plan of some prompts, in that order."""
        return replace(
            self,
            prompts=[self.prompts[row] for row in rows],
            reasons=[self.reasons[row] for row in rows],
            texts=[self.texts[row] for row in rows],
            passes=None,
            hashed=None,
        )

    def hashes(self, *, salt: bytes = b"") -> NDArray[np.uint8]:
        """Return the sha256 of each prompt's token ids (little-endian int32), keyed by `salt`; shape (n, 32)."""
        if self.hashed is not None and self.hashed.salt == salt:
            return self.hashed.sha256
        digests = [_digest(prompt.astype("<i4").tobytes(), salt) for prompt in self.prompts]
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), 32)


def _digest(data: bytes, salt: bytes) -> bytes:
    """Return a sha256, keyed where there is a key."""
    return hmac.digest(salt, data, "sha256") if salt else hashlib.sha256(data).digest()

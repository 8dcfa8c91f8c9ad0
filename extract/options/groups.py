"""The options of stage 1, in groups by what they are about.

The first line of each group is its title in help. A new option is a field here and the code that uses it; for Python it
is also a keyword of `lager.extract_features`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.errors import LagerError
from .option import option
from .texts import parse_chat_args, parse_names, parse_range, parse_slurm

if TYPE_CHECKING:
    from ...data.scale import Scale

DEFAULT_BATCH_TOKENS = 8192


@dataclass(frozen=True)
class PromptOptions:
    """How prompts are made and read.

    What is None is left to the items, to the model or, where an aggregator scores, to its training.
    """

    template: str | Path | None = option(
        "direct, reasoning, one for a task such as emotion, or a Jinja file.", shown="what suits items and condition"
    )
    system: str | None = option("System message.")
    answer_prefix: str | None = option("Beginning of the judge's answer, such as 'Score: '.")
    chat_args: Mapping[str, Any] | None = option(
        "Chat template arguments as JSON.", shown="no thinking, a fixed date", parse=parse_chat_args
    )
    chat_template: str | Path | None = option(
        "none, or a Jinja file in place of the tokenizer's own.", shown="the tokenizer's own"
    )
    allow_special_tokens: bool | None = option(
        "Let special tokens within an item's fields be tokens; they are read as plain text.", kind=bool
    )
    condition: str | None = option(
        "direct, generate (up to 10 tokens) or reasoning (feedback, then the score).", shown="direct"
    )
    score_rule: str | None = option("Which generated label is the score: marker (after 'score') or last.")
    max_new_tokens: int | None = option("Longest generated text; 256, or 10.", kind=int, least=1)
    scale: str | Scale | None = option("1-5, or A=4,B=3,C=2.", shown="the items' own, else 1-5")
    truncate_field: str | None = option("Field to cut before rendering.")
    max_field_tokens: int | None = option("To how many tokens it is cut.", kind=int, least=0)

    def __post_init__(self) -> None:
        """Refuse half of the two options that cut a field."""
        if (self.truncate_field is None) != (self.max_field_tokens is None):
            raise LagerError("--truncate-field and --max-field-tokens go together: give both or neither")
        if self.max_field_tokens is not None and self.max_field_tokens < 0:
            raise LagerError(f"--max-field-tokens {self.max_field_tokens}: expected 0 or more")


@dataclass(frozen=True)
class LoadOptions:
    """How the model is loaded."""

    dtype: str | None = option("auto (the checkpoint's), float32, bfloat16 or float16.", shown="auto")
    device: str | None = option("cpu, cuda, cuda:N, mps, or auto (all devices); the best when left out.")
    attn: str | None = option("Attention implementation, such as sdpa or eager.")
    quantize: str | None = option("4bit or 8bit weights, with bitsandbytes.")
    revision: str | None = option("Version on the hub.")
    tokenizer: str | None = option("Folder or hub id of another tokenizer.", shown="the model's own")
    verify_weights: bool = option("Hash the weights anew; hashes of files that did not change are kept.", default=False)
    trust_remote_code: bool = option("Run Python code that comes with the checkpoint.", default=False)
    layers_path: str | None = option("Module path of the blocks, if not found.")
    norm_path: str | None = option("Module path of the final norm, if not found.")


@dataclass(frozen=True)
class ItemOptions:
    """Which items are read, and what their columns say."""

    human_range: tuple[float, float] | None = option(
        "LO-HI of the human scores, mapped linearly onto the scale.", parse=parse_range
    )
    group: Sequence[str] = option("Columns, comma-separated, that name an item's group.", default=(), parse=parse_names)
    cluster: str | None = option("Column of the source text that items share.")
    raters: Sequence[str] = option(
        "Columns, comma-separated, each a rater's score; blanks allowed.", default=(), parse=parse_names
    )
    limit: int | None = option("Read a random draw of so many items.", kind=int, least=1)
    seed: int = option("Seed of the draw of --limit.", default=42)

    def __post_init__(self) -> None:
        """Refuse a draw of nothing."""
        if self.limit is not None and self.limit < 1:
            raise LagerError(f"--limit {self.limit}: expected at least 1")


@dataclass(frozen=True)
class BatchOptions:
    """What is read together.

    `deterministic` reads each prompt by itself, so the other two then say so too.
    """

    batch_tokens: int = option("Padded tokens of a batch.", default=DEFAULT_BATCH_TOKENS, least=1)
    share_prefixes: bool = option(
        "Compute what prompts share once, where it saves.", default=True, flag="--prefix-sharing/--no-prefix-sharing"
    )
    deterministic: bool = option("Each prompt by itself: no dependence on batches; slower.", default=False)

    def __post_init__(self) -> None:
        """Let batches be of one prompt where nothing may depend on them."""
        if self.batch_tokens < 1:
            raise LagerError(f"--batch-tokens {self.batch_tokens}: expected at least 1")
        if self.deterministic:
            object.__setattr__(self, "batch_tokens", 1)
            object.__setattr__(self, "share_prefixes", False)


@dataclass(frozen=True)
class RunOptions:
    """What is stored, and when the run stops."""

    features: Sequence[str] = option(
        "logits, or logits,hidden for the hidden states too.", default=("logits",), shown="logits", parse=parse_names
    )
    pooling: Sequence[str] | None = option(
        "Of the hidden states: any of mean,last,min,max; last when left out.", parse=parse_names
    )
    shard_size: int | None = option("Items of a shard file; by the number of items.", kind=int, least=1)
    keep_text: bool = option("Store prompts and generated text too.", default=False)
    private: bool = option("Key the prompt hashes with a secret.", default=False)
    extend: bool = option("Read further items into a complete cache; its own are given too.", default=False)
    replace: bool = option("Let items of a complete cache go that are not given now.", default=False)
    max_invalid: float = option("Stop when more than this part fails.", default=0.1)
    max_failures: int = option("So many shards may fail before the run stops; the others go on.", default=0, least=0)

    def __post_init__(self) -> None:
        """Refuse limits that mean nothing, and two answers to one question."""
        if self.extend and self.replace:
            raise LagerError("--extend and --replace: give one of them")
        if not 0 <= self.max_invalid <= 1:
            raise LagerError(f"--max-invalid {self.max_invalid:g}: expected a part between 0 and 1")
        if self.max_failures < 0:
            raise LagerError(f"--max-failures {self.max_failures}: expected 0 or more")


@dataclass(frozen=True)
class WorkerOptions:
    """Who reads: this process, or several workers."""

    engine: str | None = option(
        "Who starts several: local (one a GPU), ray (at RAY_ADDRESS), or submitit (Slurm jobs)."
    )
    workers: int | None = option("How many workers the engine starts.", kind=int, least=1)
    rank: int | None = option("This is one of several workers; torchrun and Slurm say so themselves.", kind=int)
    world_size: int | None = option("How many workers there are.", kind=int)
    slurm: Mapping[str, Any] | None = option(
        "What each job of --engine submitit asks for, as JSON; 8 hours and a GPU.", parse=parse_slurm
    )


@dataclass(frozen=True)
class ReadOptions:
    """How a model reads prompts, wherever these come from."""

    prompts: PromptOptions = PromptOptions()
    load: LoadOptions = LoadOptions()
    batches: BatchOptions = BatchOptions()


@dataclass(frozen=True)
class ExtractOptions(ReadOptions):
    """All that a worker of an extraction is told beside model, items and folder."""

    items: ItemOptions = ItemOptions()
    run: RunOptions = RunOptions()

"""HANNA (Chhun et al. 2022): stories for writing prompts, six criteria, mean of three raters."""

from __future__ import annotations

from collections.abc import Sequence

from .rated_texts import Layout, read_rated_texts
from .rows import Benchmark, Parsed
from .source import SourceFile

_LAYOUT = Layout(
    source_id="prompt_id",
    writer_id="story_id",
    source="prompt",
    response="story",
    instruction="Write a story for the prompt.",
    rubrics={
        "relevance": "the story matches its prompt.",
        "coherence": "the story makes sense from beginning to end.",
        "empathy": "the reader understands and shares the emotions of the characters.",
        "surprise": "the end of the story is unexpected and still fits.",
        "engagement": "the story holds the reader's attention.",
        "complexity": "the story is elaborate in its plot, world and language.",
    },
)


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per story and criterion."""
    return read_rated_texts(files, _LAYOUT)


HANNA = Benchmark(
    read,
    licence="MIT",
    files=("hanna.jsonl", "data/hanna.jsonl"),
    urls=(
        (
            "hanna.jsonl",
            "https://github.com/maiush/PPairS/raw/0beef748c02726db1a781784eeb19bae8d219c19/data/hanna.jsonl",
        ),
    ),
)

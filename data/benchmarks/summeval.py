"""SummEval (Fabbri et al. 2021): summaries of news articles, four criteria, mean of three experts."""

from __future__ import annotations

from collections.abc import Sequence

from .rated_texts import Layout, read_rated_texts
from .rows import Benchmark, Parsed
from .source import SourceFile

_LAYOUT = Layout(
    source_id="article_id",
    writer_id="summary_id",
    source="article",
    response="summary",
    instruction="Summarise the article.",
    rubrics={
        "coherence": "the sentences of the summary build on each other and form one well-organised whole.",
        "fluency": "each sentence of the summary is grammatical, complete and easy to read.",
        "consistency": "every fact in the summary is supported by the article.",
        "relevance": "the summary holds the important content of the article and leaves out the rest.",
    },
)


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per summary and criterion."""
    return read_rated_texts(files, _LAYOUT)


SUMMEVAL = Benchmark(
    read,
    licence="MIT; texts from CNN/DailyMail",
    files=("summeval.jsonl", "data/summeval.jsonl"),
    urls=(
        (
            "summeval.jsonl",
            "https://github.com/maiush/PPairS/raw/0beef748c02726db1a781784eeb19bae8d219c19/data/summeval.jsonl",
        ),
    ),
)

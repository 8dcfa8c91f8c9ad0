"""SummEval (Fabbri et al. 2021): summaries of news articles, four criteria, three experts or their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from ..errors import LagerError
from .rated_texts import Layout, read_rated_texts
from .rows import Benchmark, Parsed, Row
from .source import SourceFile, read_records

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


_EXPERTS = ("e0", "e1", "e2")
RATERS_FILE = "summeval-raters.jsonl"
_ROUNDED = 1e-6  # the means have ten digits


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per summary and criterion."""
    parsed = read_rated_texts(files, _LAYOUT)
    if part != "raters":
        return parsed
    file = SourceFile(files[0].path.with_name(RATERS_FILE), RATERS_FILE)
    if not file.path.is_file():
        raise LagerError(f"benchmark summeval#raters: {file.path} does not exist; put it beside {files[0].path.name}")
    experts = _experts(file)
    return parsed._replace(rows=[_rated(row, experts, file=file) for row in parsed.rows])


def _experts(file: SourceFile) -> dict[str, list[float]]:
    """Return the three experts' scores under the ids of the items."""
    found = {}
    for number, record in enumerate(read_records(file), start=1):
        names = [file.name_of(record, name, number) for name in ("article_id", "summary_id", "criterion")]
        scores = file.scores(record, "scores", number)
        if len(scores) != len(_EXPERTS):
            raise LagerError(f"{file.path}, row {number}: {len(scores)} scores, expected {len(_EXPERTS)}")
        found["/".join(names)] = scores
    return found


def _rated(row: Row, experts: Mapping[str, list[float]], *, file: SourceFile) -> Row:
    """Return an item with the experts' scores in place of their mean; `LagerError` where they have another mean."""
    scores = experts.get(row.item_id)
    if scores is None or not row.scores or abs(fmean(scores) - row.scores[0]) > _ROUNDED:
        told = "no scores" if scores is None else f"scores {scores}"
        raise LagerError(f"{file.path} has {told} of {row.item_id!r}, its mean is {row.scores}: give the right file")
    return row._replace(scores=scores, rated_by=list(_EXPERTS))


SUMMEVAL = Benchmark(
    read,
    licence="MIT; texts from CNN/DailyMail",
    parts={"means": "the mean of the experts", "raters": f"each expert's score, from {RATERS_FILE} beside it"},
    files=("summeval.jsonl", "data/summeval.jsonl"),
    urls=(
        (
            "summeval.jsonl",
            "https://github.com/maiush/PPairS/raw/0beef748c02726db1a781784eeb19bae8d219c19/data/summeval.jsonl",
        ),
    ),
)

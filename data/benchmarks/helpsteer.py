"""HelpSteer (Wang et al. 2023): five attributes of a response, labelled 0 to 4, shifted here to 1 to 5."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..errors import LagerError
from ..items.small_files import check_columns
from ..scale import Scale
from .rows import Benchmark, Parsed, Row
from .source import SourceFile, read_records

RUBRICS = {
    "helpfulness": "the response does, as a whole, what the prompt asks for.",
    "correctness": "the response holds all the facts that are needed and no errors.",
    "coherence": "the response is clear and consistent in what it says.",
    "complexity": "writing the response takes expert knowledge, not only a command of the language.",
    "verbosity": "the response goes into much detail for what the prompt asks.",
}
_N_TEST, _N_TUNE, _SEED = 2000, 1000, 42


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per response and attribute; see `split` for the parts."""
    return Parsed(split(read_attributes(files), part, files[0]), Scale.parse("1-5"))


def read_attributes(files: Sequence[SourceFile]) -> list[Row]:
    """Return the items in the published order, attributes innermost; the cluster is the prompt."""
    rows: list[Row] = []
    places: dict[str, str] = {}
    for file in files:
        records = read_records(file)
        check_columns(records, ("prompt", "response", *RUBRICS), path=file.path)
        for number, record in enumerate(records, start=1):
            prompt, response = (file.text(record, name, number) for name in ("prompt", "response"))
            place = len(rows) // len(RUBRICS)
            for attribute, rubric in RUBRICS.items():
                fields = {
                    "instruction": prompt,
                    "response": response,
                    "criterion": attribute,
                    "rubric": rubric,
                }
                labels = file.scores(record, attribute, number)
                if any(not 0 <= label <= 4 for label in labels):
                    raise LagerError(
                        f"{file.path}, row {number}: {attribute} is {labels[0]:g}, expected 0 to 4 as published"
                    )
                rows.append(
                    Row(
                        f"{place}/{attribute}",
                        fields,
                        [label + 1 for label in labels],
                        group=attribute,
                        cluster=places.setdefault(prompt, f"p{len(places)}"),
                    )
                )
    return rows


def split(rows: list[Row], part: str | None, file: SourceFile) -> list[Row]:
    """Return all items, the paper's first 2,000 (``test``), or 1,000 of the others drawn with seed 42 (``tune``)."""
    if part == "test":
        return rows[:_N_TEST]
    if part != "tune":
        return rows
    if len(rows) < _N_TEST + _N_TUNE:
        raise LagerError(
            f"{file.path} has {len(rows)} items, and the part tune is {_N_TUNE} of those after the first {_N_TEST}: "
            "give the validation split (1,789 responses x 5 attributes)"
        )
    drawn = random.Random(_SEED).sample(range(_N_TEST, len(rows)), _N_TUNE)
    return [rows[place] for place in sorted(drawn)]


HELPSTEER = Benchmark(
    read,
    licence="CC-BY-4.0",
    files=("validation.jsonl.gz", "validation.jsonl", "**/validation-*.parquet"),
    urls=(
        ("validation.jsonl.gz", "https://huggingface.co/datasets/nvidia/HelpSteer/resolve/main/validation.jsonl.gz"),
    ),
    parts={
        "all": "every item",
        "test": "the first 2,000 items, the paper's",
        "tune": "1,000 of the others, drawn with seed 42",
    },
)

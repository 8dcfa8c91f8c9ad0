"""HelpSteer2 (Wang et al. 2024): the same five attributes, labelled 0 to 4, on prompts of one or more turns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..scale import Scale
from .helpsteer import read_attributes
from .rows import Benchmark, Parsed, Row
from .source import SourceFile

_TURN = re.compile(r"\s*<extra_id_1>(User|Assistant)\n")


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per response and attribute."""
    return Parsed([_readable(row) for row in read_attributes(files)], Scale.parse("1-5"))


def _readable(row: Row) -> Row:
    """Write the turns of a conversation as ``User:`` and ``Assistant:``, not with the source's special token."""
    prompt = row.fields["instruction"]
    if "<extra_id_1>" not in prompt:
        return row
    turns = _TURN.sub(r"\n\n\1: ", prompt)
    return row._replace(fields=row.fields | {"instruction": f"User: {turns}"})


HELPSTEER2 = Benchmark(
    read,
    licence="CC-BY-4.0",
    files=("validation.jsonl.gz", "validation.jsonl", "**/validation-*.parquet"),
    urls=(
        (
            "validation.jsonl.gz",
            "https://huggingface.co/datasets/nvidia/HelpSteer2/resolve/990b2711a36180dd19d9c94b8627844866f8982a/"
            "validation.jsonl.gz",
        ),
    ),
)

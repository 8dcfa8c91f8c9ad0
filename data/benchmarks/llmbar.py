"""LLMBar (Zeng et al. 2024): pairs of outputs of which one follows the instruction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from ..errors import LagerError
from ..items.small_files import check_columns
from .pair_items import PARTS, Pair, pair_items
from .rows import Benchmark, Parsed
from .source import SourceFile, read_records

_PREFERRED = {"1": "A", "2": "B"}
_TOP = ("Dataset", "LLMBar")


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return two items a pair, grouped by the subset, which is the name of the file's folder; see `pair_items`."""
    return pair_items(_pairs(files), part)


def _pairs(files: Sequence[SourceFile]) -> Iterator[Pair]:
    for file in files:
        folders = [one for one in PurePosixPath(file.name).parent.parts if one not in _TOP]
        subset = "/".join(folders) or "all"
        records = read_records(file)
        check_columns(records, ("input", "output_1", "output_2", "label"), path=file.path)
        for number, record in enumerate(records, start=1):
            preferred = _PREFERRED.get(str(record["label"]))
            if preferred is None:
                raise LagerError(f"{file.path}, row {number}: label is {record['label']!r}, expected 1 or 2")
            yield Pair(
                f"{subset}/{number - 1}",
                file.text(record, "input", number),
                (file.text(record, "output_1", number), file.text(record, "output_2", number)),
                preferred,
                subset,
            )


_FILES = "https://github.com/princeton-nlp/LLMBar/raw/caa7bee794bfed74baed038b99229fa3f0c4c511/Dataset/LLMBar/"
_SUBSETS = ("Natural", "Adversarial/Neighbor", "Adversarial/GPTInst", "Adversarial/GPTOut", "Adversarial/Manual")
LLMBAR = Benchmark(
    read,
    licence="MIT",
    files=("Dataset/LLMBar/**/dataset.json", "LLMBar/**/dataset.json", "**/dataset.json"),
    urls=tuple((f"{subset}/dataset.json", f"{_FILES}{subset}/dataset.json") for subset in _SUBSETS),
    parts=PARTS,
)

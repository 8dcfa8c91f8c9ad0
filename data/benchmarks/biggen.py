"""BiGGen Bench (Kim et al. 2024), the responses that humans scored from 1 to 5 by a rubric of each instance's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import LagerError
from ..files.json_text import parse_json
from ..items.small_files import check_columns
from ..scale import Scale
from .rows import Benchmark, Parsed, Row, one_cluster_a_text
from .source import SourceFile, read_records

_NEEDED = ("id", "capability", "task", "input", "score_rubric", "model_name", "response", "human_score")


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per instance and model, grouped by capability; the task is a column."""
    rows = []
    for file in files:
        records = read_records(file)
        check_columns(records, _NEEDED, path=file.path)
        for number, record in enumerate(records, start=1):
            instance, model = (file.name_of(record, name, number) for name in ("id", "model_name"))
            system = (file.optional(record, "system_prompt", number) or "").strip()
            instruction = file.text(record, "input", number)
            fields = {
                "instruction": f"{system}\n\n{instruction}" if system else instruction,
                "response": file.text(record, "response", number),
                "rubric": _rubric(record["score_rubric"], where=f"{file.path}, row {number}"),
            }
            if reference := file.optional(record, "reference_answer", number):
                fields["reference"] = reference
            rows.append(
                Row(
                    f"{instance}/{model}",
                    fields,
                    file.scores(record, "human_score", number),
                    group=file.text(record, "capability", number),
                    cluster=instance,
                    system=model,
                    columns={"task": file.text(record, "task", number)},
                )
            )
    return Parsed(one_cluster_a_text(rows, fields=("instruction",)), Scale.parse("1-5"))


def _rubric(raw: Any, *, where: str) -> str:
    """Return the criterion and what each score means, from an object or its JSON text."""
    try:
        rubric: Mapping[str, str] = parse_json(raw) if isinstance(raw, str) else raw
        scores = [f"Score {score}: {rubric[f'score{score}_description']}" for score in range(1, 6)]
        return "\n".join([str(rubric["criteria"]), *scores])
    except (ValueError, KeyError, TypeError):
        raise LagerError(
            f"{where}: score_rubric is not an object with criteria and score1_description to score5_description"
        ) from None


BIGGEN = Benchmark(
    read,
    licence="CC-BY-SA-4.0 (BiGGen-Bench)",
    files=("human_eval*.parquet", "**/human_eval-*.parquet", "human_eval*.jsonl"),
    urls=(
        (
            "human_eval.parquet",
            "https://huggingface.co/datasets/prometheus-eval/BiGGen-Bench-Results/resolve/main/data/"
            "human_eval-00000-of-00001.parquet",
        ),
    ),
)

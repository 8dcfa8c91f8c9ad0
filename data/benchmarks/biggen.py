"""BiGGen Bench (Kim et al. 2024), the responses that humans scored from 1 to 5 by a rubric of each instance's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import LagerError
from ..item_files import check_columns, parse_scores
from ..json_text import parse_json
from ..scale import Scale
from .rows import Benchmark, Parsed, Row
from .source import SourceFile, read_records

_NEEDED = ("id", "capability", "task", "input", "score_rubric", "model_name", "response", "human_score")


def read(files: Sequence[SourceFile], part: str | None) -> Parsed:
    """Return one item per instance and model, grouped by capability; the task is a column."""
    rows = []
    for file in files:
        records = read_records(file)
        check_columns(records, _NEEDED, path=file.path)
        for number, record in enumerate(records, start=1):
            instance, model = str(record["id"]), str(record["model_name"])
            system = str(record.get("system_prompt") or "").strip()
            instruction = str(record["input"])
            fields = {
                "instruction": f"{system}\n\n{instruction}" if system else instruction,
                "response": record["response"],
                "rubric": _rubric(record["score_rubric"], where=f"{file.path}, row {number}"),
            }
            if record.get("reference_answer"):
                fields["reference"] = record["reference_answer"]
            rows.append(
                Row(
                    f"{instance}/{model}",
                    fields,
                    parse_scores(record["human_score"], row=number, path=file.path, column="human_score"),
                    group=str(record["capability"]),
                    cluster=instance,
                    system=model,
                    columns={"task": str(record["task"])},
                )
            )
    return Parsed(rows, Scale.parse("1-5"))


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

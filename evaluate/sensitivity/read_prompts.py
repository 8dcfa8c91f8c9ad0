"""One cache for each template and scale, read with one loaded model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError
from ...extract.options.groups import ExtractOptions, WorkerOptions


def read_prompts(
    model: str, items: str, *, templates: Sequence[str], scales: Sequence[str], folder: Path, options: ExtractOptions
) -> dict[str, FeatureCache]:
    """Read the same items under every template and scale; what is there already is not read again."""
    from ...extract.engines.launch import run_extraction
    from ...extract.model.judge import load_judge, require_extra

    by_template: Sequence[str | None] = templates or [None]
    by_scale: Sequence[str | None] = scales or [None]
    chosen = list(product(by_template, by_scale))
    names = [_name(template, scale, len(templates) > 1, len(scales) > 1) for template, scale in chosen]
    if len(chosen) < 2 or len(set(names)) < len(names):
        raise LagerError(
            f"got the prompts {', '.join(names)}, expected two or more with names of their own: give --template or "
            "--scale again"
        )
    require_extra()
    judge = load_judge(model, options.load)
    for name, (template, scale) in zip(names, chosen, strict=True):
        one = replace(options, prompts=replace(options.prompts, template=template, scale=scale))
        run_extraction(judge, items, cache=folder / name, options=one, workers=WorkerOptions())
    return {name: FeatureCache.open(folder / name) for name in names}


def _name(template: str | None, scale: str | None, by_template: bool, by_scale: bool) -> str:
    """Return the folder of a template and scale, named by what differs."""
    parts = [Path(template).stem] if by_template and template else []
    parts += [re.sub(r"[^0-9A-Za-z.=-]+", "_", scale)] if by_scale and scale else []
    return "_".join(parts) or "default"

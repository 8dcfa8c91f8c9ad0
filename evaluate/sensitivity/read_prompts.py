"""One cache for each template and scale, read with one loaded model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from ...data.cache.feature_cache import FeatureCache
from ...data.errors import LagerError


def read_prompts(
    model: str, items: str, *, templates: Sequence[str], scales: Sequence[str], folder: Path, **options: Any
) -> dict[str, FeatureCache]:
    """Read the same items under every template and scale; what is there already is not read again.

    Parameters
    ----------
    model, items : str
        As for `lager.extract_features`.
    templates, scales : sequence of str
        Names or files of templates, and scales; what `extract_features` takes by itself where there are none.
    folder : Path
        Where the caches go, one folder each.
    **options
        Further options of `extract_features`; those of loading are of the one model.

    Returns
    -------
    dict of str to FeatureCache
        By template and scale, as far as there are several.

    Raises
    ------
    LagerError
        When two would be called the same, or an extraction fails.
    """
    from ...extract.extractor import extract_features
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
    loading = {name: options.pop(name) for name in ("dtype", "device") if options.get(name) is not None}
    judge = load_judge(model, **loading)
    return {
        name: extract_features(judge, items, cache=folder / name, template=template, scale=scale, **options)
        for name, (template, scale) in zip(names, chosen, strict=True)
    }


def _name(template: str | None, scale: str | None, by_template: bool, by_scale: bool) -> str:
    parts = [Path(template).stem] if by_template and template else []
    parts += [re.sub(r"[^0-9A-Za-z.=-]+", "_", scale)] if by_scale and scale else []
    return "_".join(parts) or "default"

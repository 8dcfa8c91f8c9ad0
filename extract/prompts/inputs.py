"""What a run is given: items, template and scale, chosen and checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ...data.errors import LagerError
from ...data.items.items import TEMPLATE_FIELDS
from ...data.items.lazy_items import ItemSource
from ...data.items.survey import SurveyOf, survey_items
from ...data.open_items import open_items
from ...data.scale import Scale
from ...data.templates.template import REASONING, Template, load_template

DEFAULT_SCALE = "1-5"
_LOOKED_AT, _ALIKE = 4096, 0.8


def read_items(
    items: str | Path | ItemSource, group: Sequence[str], cluster: str | None, *, raters: Sequence[str] = (),
    survey: SurveyOf = survey_items,
) -> ItemSource:  # fmt: skip
    """Return items in memory as they are, and open all others; a `LagerError` when they cannot be read.

    `survey` is how a large file is looked through.
    """
    if isinstance(items, str | Path):
        return open_items(items, group=group, cluster=cluster, raters=raters, survey=survey)
    if group or cluster or raters:
        raise LagerError("group, cluster and raters name columns of a file: items in memory have theirs already")
    return items


def read_template(template: str | Path | None, items: ItemSource, *, condition: str = "direct") -> Template | None:
    """Return the judging template of items that come as fields; None for others.

    If None is asked for, it is the one of the items' source, else the one of the condition.
    """
    if items.kind == "fields":
        return load_template(template or default_template(items.template, condition))
    if template is not None:
        raise LagerError(f"--template {template}: the items come as {items.kind} and need no template; leave it out")
    return None


def unused_columns(template: Template | None, items: ItemSource) -> list[str]:
    """Return a line on columns that look like a template's fields and that this one leaves out; none without such."""
    if template is None or items.kind != "fields":
        return []
    some = items.part(range(min(len(items), _LOOKED_AT)))
    names = dict.fromkeys(name for fields in some.fields for name in fields)
    lacking = template.variables.difference(names)
    unused = [name for name in names if name not in template.variables and _is_like_a_field(name, lacking)]
    if not unused:
        return []
    return [
        f"the prompt does not hold {', '.join(unused)} of the items: template {template.name} uses "
        f"{', '.join(sorted(template.variables))}; rename the columns or choose another template if they belong there"
    ]


def _is_like_a_field(name: str, lacking: Iterable[str]) -> bool:
    """Return whether a name is that of a bundled template's field, or nearly that of one which the items lack."""
    plain = name.strip().casefold()
    return plain in TEMPLATE_FIELDS or bool(get_close_matches(plain, lacking, n=1, cutoff=_ALIKE))


def default_template(of_source: str | None, condition: str) -> str:
    """Return the bundled template that suits the items' source, where that has one, and the condition."""
    if of_source is None:
        return "reasoning" if condition == "reasoning" else "direct"
    return of_source + (REASONING if condition == "reasoning" else "")


def choose_scale(scale: str | Scale | None, items: ItemSource) -> Scale:
    """Return the scale that was asked for, else the items' own, else 1-5."""
    if isinstance(scale, Scale):
        return scale
    return Scale.parse(scale) if scale is not None else items.scale or Scale.parse(DEFAULT_SCALE)


def draw_items(items: ItemSource, limit: int | None, seed: int) -> ItemSource:
    """Return a seeded draw of `limit` items, in input order."""
    if limit is None or limit >= len(items):
        return items
    rows = np.random.default_rng(seed).choice(len(items), size=limit, replace=False)
    return items.take(sorted(int(row) for row in rows))


POOLINGS = ("mean", "last", "min", "max")


def check_features(features: Sequence[str], pooling: Sequence[str] | None) -> tuple[str, ...]:
    """Return the poolings that are asked for, in a fixed order; none without the feature "hidden"."""
    unknown = sorted(set(features) - {"logits", "hidden"})
    if unknown or "logits" not in features:
        raise LagerError(f"--features {','.join(features)}: expected logits, or logits,hidden")
    if "hidden" not in features:
        if pooling is not None:
            raise LagerError("--pooling is about hidden states: add --features logits,hidden, or leave it out")
        return ()
    asked = ("last",) if pooling is None else tuple(pooling)
    if not asked or not set(asked) <= set(POOLINGS):
        raise LagerError(f"--pooling {','.join(asked)}: expected some of {','.join(POOLINGS)}")
    return tuple(name for name in POOLINGS if name in asked)


def size_text(n_bytes: int) -> str:
    """Return a size for people, such as ``1.5 GiB``."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes / 1024:.1f} KiB"

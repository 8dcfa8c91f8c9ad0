"""Items of one text without a cluster to say so: folds, draws and intervals would take them for independent."""

from __future__ import annotations

from ...data.items.lazy_items import ItemSource
from ...data.templates.template import Template

#: Fields that hold what several items may share, the text that is judged by first.
_SHARED = ("source", "question", "instruction", "response")
_LOOKED_AT = 4096


def repeated_texts(template: Template | None, items: ItemSource) -> list[str]:
    """Return a line on the first field whose texts repeat and are not all the same; none where clusters are declared.

    Of a large file the first few thousand rows are looked at. Rows of one prompt need no cluster: hashes tell them.
    """
    if template is None or items.kind != "fields":
        return []
    some = items.part(range(min(len(items), _LOOKED_AT)))
    if not some.table["cluster"].is_null().all():
        return []
    for name in _SHARED:
        texts = (
            [text for fields in some.fields if (text := fields.get(name)) is not None]
            if name in template.variables
            else []
        )
        n = len(set(texts))
        if 1 < n < len(texts):
            looked_at = f"the first {len(some)} items" if len(some) < len(items) else f"{len(some)} items"
            return [
                f"{looked_at} have {n} different texts in {name}, and no clusters are declared: those of one text are "
                "taken for independent by folds, draws and intervals; name a column that tells them with --cluster"
            ]
    return []

"""Labels of several columns as one: different labels stay different."""

from __future__ import annotations

import json
from collections.abc import Sequence

BETWEEN = " / "
_MISSING = "(none)"


def joined_label(parts: Sequence[str | None]) -> str:
    """Return labels as ``x / z``, a missing one as ``(none)``; a part in which that could be misread is quoted.

    So ``x / y`` beside ``z`` is ``"x / y" / z``, another name than that of ``x`` beside ``y / z``. A label by itself
    stays as it is, but for one that reads ``(none)``.
    """
    return BETWEEN.join(label_part(part, alone=len(parts) == 1) for part in parts)


def label_part(part: str | None, *, alone: bool) -> str:
    """Return one part of a joined label, or the whole of one that stands alone."""
    if part is None:
        return _MISSING
    unclear = part.strip('"') == _MISSING or (not alone and (part.startswith('"') or BETWEEN in f" {part} "))
    return json.dumps(part, ensure_ascii=False) if unclear else part

"""Near-duplicates by the overlap of word shingles, found exactly."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_Shingles = NDArray[np.uint64]


def shingles(text: str, *, width: int = 3) -> _Shingles:
    """Return the distinct hashes of every `width` words in a row, ascending.

    Case, punctuation and Unicode form do not count. A text of fewer words is one shingle, one without any is none.
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    runs = [words[at : at + width] for at in range(max(len(words) - width + 1, min(len(words), 1)))]
    hashed = [int.from_bytes(blake2b(" ".join(run).encode(), digest_size=8).digest(), "big") for run in runs]
    return np.unique(np.array(hashed, dtype=np.uint64))


class NearDuplicates:
    """Texts seen so far, and whether another is a near-duplicate of one of them.

    Two texts are near-duplicates when the Jaccard similarity of their shingles is at least `similarity`. Candidates
    come from prefix filtering (Chaudhuri, Ganti & Kaushik 2006; Bayardo, Ma & Srikant 2007): with shingles ordered
    from rare to common, two texts that similar share one of the first ``n - ceil(similarity n) + 1`` of each. Nothing
    is missed and nothing is random.

    Parameters
    ----------
    texts : sequence of str
        All texts, for how rare a shingle is.
    similarity : float
        From above 0 to 1.
    """

    def __init__(self, texts: Sequence[str], *, similarity: float = 0.8) -> None:
        self._similarity = similarity
        sets = [shingles(text) for text in texts]
        self._sets = sets
        flat = np.concatenate([*sets, np.empty(0, dtype=np.uint64)])
        values, counts = np.unique(flat, return_counts=True)
        # Every shingle's place from rare to common; equally rare ones by their hash.
        place = np.empty(len(values), dtype=np.int64)
        place[np.lexsort((values, counts))] = np.arange(len(values))
        ends = np.cumsum([0, *map(len, sets)])
        at = place[np.searchsorted(values, flat)]
        self._places = [np.sort(at[start:end]) for start, end in pairwise(ends)]
        self._seen: dict[int, list[int]] = {}
        self._empty: int | None = None

    def earlier(self, index: int) -> int | None:
        """Return the index of a text seen before that this one is a near-duplicate of, or None, and then see it."""
        places = self._places[index]
        if not len(places):
            if self._empty is None:
                self._empty = index
                return None
            return self._empty
        # Rounded before it is rounded up: 0.55 x 20 is a little over 11 in binary.
        overlap = math.ceil(round(self._similarity * len(places), 9))
        prefix = places[: len(places) - overlap + 1].tolist()
        candidates = sorted({other for one in prefix for other in self._seen.get(one, ())})
        for other in candidates:
            if self._jaccard(index, other) >= self._similarity:
                return other
        for one in prefix:
            self._seen.setdefault(one, []).append(index)
        return None

    def _jaccard(self, one: int, other: int) -> float:
        """Return the Jaccard similarity, or 0 where the sizes alone rule out that it is large enough."""
        a, b = self._sets[one], self._sets[other]
        if min(len(a), len(b)) / max(len(a), len(b)) < self._similarity:
            return 0.0
        overlap = len(np.intersect1d(a, b, assume_unique=True))
        return overlap / (len(a) + len(b) - overlap)

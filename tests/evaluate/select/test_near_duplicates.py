import random

import pytest
from lager.evaluate.select.near_duplicates import NearDuplicates, shingles


def jaccard(a, b):
    a, b = set(shingles(a).tolist()), set(shingles(b).tolist())
    return 1.0 if not (a or b) else len(a & b) / len(a | b)


def first_duplicates(texts, similarity):
    """What comparing every text with all kept before it finds."""
    kept, out = [], []
    for text in texts:
        out.append(any(jaccard(text, other) >= similarity for other in kept))
        if not out[-1]:
            kept.append(text)
    return out


@pytest.mark.parametrize("similarity", [0.3, 0.55, 0.8, 1.0])
def test_nothing_is_missed_and_nothing_wrongly_found(similarity):
    rng = random.Random(7)
    texts = []
    for _ in range(150):
        words = rng.choices("abcdefgh", k=rng.randint(0, 14)) if rng.random() < 0.5 or not texts else None
        if words is None:
            words = rng.choice(texts).split()
            for _ in range(rng.randint(0, 2)):
                words.insert(rng.randint(0, len(words)), rng.choice("abcdefghij"))
        texts.append(" ".join(words))
    known = NearDuplicates(texts, similarity=similarity)
    found = [known.earlier(index) is not None for index in range(len(texts))]
    assert found == first_duplicates(texts, similarity)
    assert 5 < sum(found) < len(texts) - 5


def test_case_punctuation_and_unicode_form_do_not_count():
    known = NearDuplicates(
        ["Name three café colours, please!", "name three CAFE\u0301 colours - please"], similarity=1.0
    )
    assert [known.earlier(0), known.earlier(1)] == [None, 0]


def test_short_texts_are_compared_whole_and_empty_ones_are_alike():
    texts = ["Hello there", "hello there!", "hello you", "", "..."]
    known = NearDuplicates(texts, similarity=0.8)
    assert [known.earlier(index) for index in range(5)] == [None, 0, None, None, 3]

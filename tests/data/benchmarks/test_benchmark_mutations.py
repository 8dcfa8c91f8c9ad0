"""One value of a published file changed or gone: an error of our own, or items that render and lie on their scale."""

import copy
import random
from collections import Counter

import pytest
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.extract.prompts.inputs import read_template
from support.published import (
    biggen_records,
    eqbench_questions,
    flask_records,
    graded_set,
    helpsteer_records,
    judgebench_records,
    llmbar_records,
    selfaware_document,
    write_json,
    write_jsonl,
)

SUMMARY = {"article_id": "A", "summary_id": "S", "article": "x", "summary": "y"}
STORY = {"prompt_id": "P", "story_id": "S", "prompt": "x", "story": "y"}
PUBLISHED = {
    "flask": flask_records(2),
    "helpsteer": helpsteer_records(3),
    "helpsteer2": helpsteer_records(3),
    "biggen": biggen_records(2),
    "summeval": [SUMMARY | dict.fromkeys(("coherence", "fluency", "consistency", "relevance"), 2)],
    "hanna": [STORY | dict.fromkeys(("relevance", "coherence", "empathy", "surprise", "engagement", "complexity"), 3)],
    "recipe": graded_set(),
    "judge-bench": graded_set(),
    "eqbench": eqbench_questions(2),
    "selfaware": selfaware_document(4),
    "judgebench": judgebench_records(3),
    "judgebench#orders": judgebench_records(3),
    "llmbar": llmbar_records(3),
    "alpaca": [{"instruction": "a", "input": "", "output": "b"}] * 2,
}
IN_LINES = ("helpsteer", "helpsteer2", "biggen", "summeval", "hanna", "judgebench")
VALUES = [None, True, 0, -1, 7, 1e308, "", "x", "3", [], [1], [None], {}, {"a": 1}, "A>B", float("inf")]


def places(value, path=()):
    """The path of every value inside."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def changed(document, rng):
    document = copy.deepcopy(document)
    path = rng.choice(list(places(document)))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[path[-1]]
    else:
        holder[path[-1]] = rng.choice(VALUES)
    return document


@pytest.mark.parametrize("benchmark", PUBLISHED)
def test_one_changed_value_is_an_error_of_our_own_or_a_sound_reading(tmp_path, benchmark):
    name, _, part = benchmark.partition("#")
    rng, outcomes = random.Random(benchmark), Counter()
    for document in [PUBLISHED[benchmark], *(changed(PUBLISHED[benchmark], rng) for _ in range(60))]:
        in_lines = name in IN_LINES and all(isinstance(row, dict) for row in document)
        path = (write_jsonl if in_lines else write_json)(tmp_path / f"x.json{'l' if in_lines else ''}", document)
        try:
            items = load_items(f"benchmark:{name}={path}{'#' + part if part else ''}")
            template = read_template(None, items)
            assert all(template.render(fields, scale=items.scale) for fields in items.fields)
            assert "None" not in {value for fields in items.fields for value in fields.values()}
            items.on_scale(items.scale)
            outcomes["read"] += 1
        except LagerError:
            outcomes["refused"] += 1
    assert min(outcomes["read"], outcomes["refused"]) > 3

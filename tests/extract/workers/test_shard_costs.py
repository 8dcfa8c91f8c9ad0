"""What a shard costs is known from the fields alone, and follows what is computed."""

import numpy as np
import pytest
from lager.data.open_items import load_items
from lager.extract.readout.batches import DEFAULT_BATCH_TOKENS
from lager.extract.readout.steps import plan_steps, step_cost
from lager.extract.workers import deal as module
from lager.extract.workers.deal import ITEM_CHARACTERS, shard_costs


def costs(fields, **options):
    return shard_costs(fields, **{"n_items": len(fields), "shard_size": 2, "share_prefixes": True, **options})


def test_what_an_item_shares_with_the_one_before_is_free_inside_a_shard_only():
    fields = [{"source": "s" * 90, "response": text} for text in ("aa", "bbb", "c", "dd", "e")]
    beside = [2 * ITEM_CHARACTERS, 2 * ITEM_CHARACTERS, ITEM_CHARACTERS]
    assert costs(fields) == [90 + 5 + beside[0], 90 + 3 + beside[1], 90 + 1 + beside[2]]
    assert costs(fields, share_prefixes=False)[0] == 180 + 5 + beside[0]


def test_chats_and_numbers_count_by_what_they_look_like():
    chat = [{"role": "user", "content": "hi"}]
    assert costs([{"messages": chat}, {"n": 3}]) == [2 * ITEM_CHARACTERS + len(str(chat)) + 1]


def test_the_fields_of_very_many_items_are_not_read(monkeypatch):
    monkeypatch.setattr(module, "MOST_ITEMS", 4)
    assert shard_costs(iter(()), n_items=5, shard_size=2, share_prefixes=True) == [2, 2, 1]


@pytest.mark.shared
def test_on_summeval_they_are_within_a_tenth_of_the_planned_passes(shared):
    items = load_items(f"benchmark:summeval={shared / 'data' / 'summeval.jsonl'}").take(range(64 * 20))
    # A token for a word, and some for the criterion: what is planned then, without any tokenizer.
    vocabulary: dict[str, int] = {}
    prompts = [
        np.array(
            [vocabulary.setdefault(word, len(vocabulary)) for word in " ".join(fields.values()).split()] + [0] * 20
        )
        for fields in items.fields
    ]
    planned = [
        step_cost(plan_steps(prompts[start : start + 64], batch_tokens=DEFAULT_BATCH_TOKENS))
        for start in range(0, len(prompts), 64)
    ]
    ratio = np.array(planned) / shard_costs(items.fields, n_items=len(items), shard_size=64, share_prefixes=True)
    assert ratio.std() < 0.1 * ratio.mean()

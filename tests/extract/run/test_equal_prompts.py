"""Equal prompts have the very same numbers, whatever else is read with them."""

import json

import numpy as np
import pytest
from lager.cli import main_or_raise
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.readout.steps import plan_steps
from support.extraction import run
from support.tiny_models import random_prompts, save_judge

PROMPTS = ["the lazy dog", "the fox and a single score", "the lazy dog", "a dog", "the lazy dog", "a dog", "the quick"]


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return load_judge(save_judge(tmp_path_factory.mktemp("judge")), LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps({"prompt": prompt, "score": 3}) + "\n" for prompt in PROMPTS))
    return path


def test_equal_prompts_are_computed_once_in_batches_that_hold_one_or_many():
    one, two = random_prompts([9, 12])
    for batch_tokens in (1, 24, 1000):
        steps = plan_steps([one, two, one.copy(), one], batch_tokens=batch_tokens, share_prefixes=False)
        ends = sorted(segment.ends for step in steps for segment in step.segments)
        assert ends == [(0, 2, 3), (1,)]


@pytest.mark.parametrize(
    "options",
    [
        {"batch_tokens": 40},
        {"share_prefixes": False},
        {"features": ["logits", "hidden"], "pooling": ["mean", "last"]},
        {"condition": "generate", "max_new_tokens": 4, "keep_text": True, "max_invalid": 1.0},
    ],
)
def test_their_rows_are_the_same_to_the_last_bit(judge, items, tmp_path, options):
    shard = run(judge, items, tmp_path / "cache", shard_size=100, **options).read_shard(0)
    arrays = {"logits": shard.logits, "normed": shard.logits_normed, "logsumexp": shard.logsumexp, **shard.optional}
    for name, values in arrays.items():
        for rows in ([0, 2, 4], [3, 5]):
            for row in rows[1:]:
                np.testing.assert_array_equal(np.asarray(values[row]), np.asarray(values[rows[0]]), err_msg=name)
    if "condition" not in options:
        assert shard.valid.all()
        assert not np.array_equal(shard.logits[0], shard.logits[3])


def test_they_count_as_read_each(judge, items, tmp_path):
    cache = run(judge, items, tmp_path / "cache", shard_size=100, share_prefixes=False)
    (record,) = cache.manifest["provenance"]["runs"]
    assert record["tokens"] == cache.n_tokens.sum()
    assert record["computed_tokens"] == sum(cache.n_tokens[[0, 1, 3, 6]])


@pytest.mark.shared
@pytest.mark.slow
def test_labels_that_say_nothing_of_equal_prompts_correlate_at_zero(shared, repository, tmp_path, capsys):
    items = shared / "faults" / "18-equal-prompts-not-tied" / "items.jsonl"
    for name, options in (("usual", {}), ("single", {"deterministic": True})):
        run(repository / "data" / "demo" / "judge", items, tmp_path / name, device="cpu", shard_size=100, **options)
        main_or_raise(["evaluate", str(tmp_path / name), "--strategy", "e-score", "--resamples", "0", "--json"])
        (row,) = json.loads(capsys.readouterr().out)["results"]
        assert (row["spearman"]["estimate"], row["kendall"]["estimate"]) == (0.0, 0.0)

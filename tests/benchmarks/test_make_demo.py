"""The bundled demo is what its script makes, and fit for what the commands do with it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lager.benchmarks.demo.items import RATERS, RUBRICS, heldout_items, training_items
from lager.benchmarks.demo.make_demo import make_demo, write_items
from lager.benchmarks.demo.world import ORNATE, PLAIN, Style
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.data.scale import Scale
from lager.data.templates.template import load_template
from scipy.stats import spearmanr

SCALE = Scale.parse("1-5")
JUDGE_FILES = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}


@pytest.fixture(scope="module")
def demo(repository: Path) -> Path:
    return repository / "data" / "demo"


@pytest.fixture(scope="module")
def tokenizer(demo: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(demo / "judge")


@pytest.fixture(scope="module")
def model(demo: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(demo / "judge").eval()


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def chat_text(tokenizer, row: dict) -> str:
    messages = [{"role": "user", "content": load_template("direct").render(row, scale=SCALE)}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def test_bundled_items_are_byte_for_byte_what_the_recorded_seed_makes(demo: Path, tmp_path: Path):
    seed = json.loads((demo / "recipe.json").read_text())["seed"]
    write_items(tmp_path, seed=seed)
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / name).read_bytes() == (demo / name).read_bytes(), f"{name} differs: remake the demo"


def test_another_seed_makes_other_items():
    assert training_items(0) != training_items(1)
    assert heldout_items(0) != heldout_items(1)


def test_making_the_items_imports_no_torch():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from lager.benchmarks.demo.items import heldout_items; print(len(heldout_items(0)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(result.stdout) == len(heldout_items(0))


@pytest.mark.parametrize("name", ["train", "test"])
def test_bundled_items_load_and_carry_every_rater_group_and_cluster(demo: Path, name: str):
    items = load_items(demo / f"{name}.jsonl")
    assert len(items) == len(rows_of(demo / f"{name}.jsonl")) >= 200
    scores = items.table["scores"].to_list()
    assert {len(given) for given in scores} == {len(RATERS)}
    assert len(RATERS) >= 3
    assert {score for given in scores for score in given} == {1, 2, 3, 4, 5}
    assert set(items.table["group"]) == set(RUBRICS)
    assert items.table["cluster"].n_unique() >= 20
    assert items.table["system"].n_unique() >= 3


def test_train_and_test_share_neither_requests_nor_responses_nor_writers(demo: Path):
    train, test = rows_of(demo / "train.jsonl"), rows_of(demo / "test.jsonl")
    for field in ("id", "instruction", "response", "cluster", "system"):
        assert not {row[field] for row in train} & {row[field] for row in test}, field


def test_train_and_test_are_written_in_different_styles(demo: Path):
    def sentences(name: str, style: Style) -> float:
        texts = [row["response"] for row in rows_of(demo / f"{name}.jsonl")]
        fixed = (*style.fillers, *style.courteous, *style.rude)
        return float(np.mean([any(one in text for one in fixed) for text in texts]))

    assert sentences("train", PLAIN) > 0.9
    assert sentences("test", ORNATE) > 0.8
    assert sentences("train", ORNATE) == sentences("test", PLAIN) == 0


@pytest.mark.parametrize("name", ["train", "test"])
def test_length_and_criterion_do_not_give_the_score_away(demo: Path, name: str):
    rows = rows_of(demo / f"{name}.jsonl")
    human = np.array([np.mean(row["score"]) for row in rows])
    group = np.array([row["group"] for row in rows])
    n_words = np.array([len(row["response"].split()) for row in rows])
    means = np.array([human[group == one].mean() for one in group])
    assert abs(spearmanr(n_words, human).statistic) < 0.2
    assert abs(spearmanr(means, human).statistic) < 0.2


def test_raters_differ_and_yet_agree(demo: Path):
    scores = np.array([row["score"] for row in rows_of(demo / "train.jsonl")])
    agreement = spearmanr(scores).statistic[np.triu_indices(len(RATERS), 1)]
    assert (agreement > 0.6).all()
    assert (agreement < 0.95).all()


def test_judge_is_small_deep_and_complete(demo: Path):
    folder = demo / "judge"
    assert {path.name for path in folder.iterdir()} >= JUDGE_FILES
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000
    config = json.loads((folder / "config.json").read_text())
    assert config["num_hidden_layers"] >= 8


def test_prompts_have_one_bos_end_at_the_generation_prompt_and_fit_the_context(demo: Path, tokenizer, model):
    for row in rows_of(demo / "test.jsonl")[:30]:
        text = chat_text(tokenizer, row)
        assert text.endswith("Score:<|end|>\n<|assistant|>\n")
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id
        assert len(ids) < model.config.max_position_embeddings
        assert tokenizer.decode(ids) == text


def test_plain_encoding_adds_a_bos_so_that_a_second_one_would_show(tokenizer):
    assert tokenizer("Score:")["input_ids"][0] == tokenizer.bos_token_id


@pytest.mark.parametrize("separator", ["", " "])
def test_each_score_is_one_token_after_the_generation_prompt(demo: Path, tokenizer, separator: str):
    text = chat_text(tokenizer, rows_of(demo / "test.jsonl")[0])
    prompt = tokenizer(text + separator, add_special_tokens=False)["input_ids"]
    last = []
    for label in SCALE.labels:
        ids = tokenizer(text + separator + label, add_special_tokens=False)["input_ids"]
        assert ids[:-1] == prompt
        last.append(ids[-1])
    assert len(set(last)) == len(SCALE)


def test_chat_template_leaves_the_generation_prompt_out_when_asked_to(tokenizer):
    messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
    assert text == "<s><|system|>\na<|end|>\n<|user|>\nb<|end|>\n"


@pytest.mark.slow
def test_judge_agrees_with_the_raters_far_beyond_length(demo: Path, tokenizer, model):
    from lager.benchmarks.demo.judge import prompt_ids, read_layers

    rows = rows_of(demo / "test.jsonl")[:120]
    logits = read_layers(model, tokenizer, rows).numpy().astype(float)
    assert logits.shape == (len(rows), model.config.num_hidden_layers + 1, len(SCALE))
    odds = np.exp(logits[:, -1])
    human = np.array([np.mean(row["score"]) for row in rows])
    judged = spearmanr(odds @ SCALE.array / odds.sum(-1), human).statistic
    length = spearmanr([len(ids) for ids in prompt_ids(tokenizer, rows)], human).statistic
    assert judged > 0.4
    assert judged > abs(length) + 0.2


def test_packed_prompts_give_the_logits_of_the_prompts_alone(demo: Path, tokenizer, model):
    import torch
    from lager.benchmarks.demo.judge import pack, prompt_ids

    rows = rows_of(demo / "train.jsonl")[:6]
    ids = prompt_ids(tokenizer, rows)
    batch = pack([ids[:3], ids[3:]], [[row["score"] for row in rows[:3]], [row["score"] for row in rows[3:]]])
    with torch.inference_mode():
        packed = model.model(input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask)
        together = packed.last_hidden_state[torch.arange(2)[:, None], batch.answer_at].reshape(6, -1)
        alone = torch.stack([model.model(torch.tensor([one])).last_hidden_state[0, -1] for one in ids])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert torch.allclose(batch.target.sum(-1), torch.ones(2, 3))


def test_an_existing_folder_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(LagerError, match="exists already"):
        make_demo(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_script_makes_the_same_demo_twice_and_says_what_it_made(tmp_path: Path):
    for name in ("one", "two"):
        command = [
            sys.executable,
            "-m",
            "lager.benchmarks.demo.make_demo",
            "--out",
            str(tmp_path / name),
            "--steps",
            "2",
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "e-score" in result.stdout
        assert "300 test items" in result.stdout
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert {path.name for path in files} >= JUDGE_FILES | {"train.jsonl", "test.jsonl", "recipe.json"}
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_the_judge_was_trained_on_the_template_that_it_is_read_with(demo):
    recipe = json.loads((demo / "recipe.json").read_text())
    assert recipe["template_sha256"] == hashlib.sha256(load_template("direct").text.encode()).hexdigest()

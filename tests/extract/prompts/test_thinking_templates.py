"""Chat templates with thinking blocks, dates and channels: safe defaults, and a warning that shows what is wrong."""

import re

import pytest
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.prompts.chat import find_chat
from lager.extract.prompts.prompt_format import PromptFormat, prompt_array
from lager.extract.readout.readout import read_states
from support.extraction import run, write_items
from support.tiny_models import save_judge, tiny_tokenizer

QWEN3 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
SMOLLM3 = (
    "{% set enable_thinking = enable_thinking if enable_thinking is defined else true %}"
    "<|im_start|>system\nToday Date: {{ strftime_now('%d %B %Y') }}\n"
    "Reasoning Mode: {{ '/think' if enable_thinking else '/no_think' }}<|im_end|>\n"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if not enable_thinking %}<think>\n\n</think>\n{% endif %}{% endif %}"
)
GPT_OSS = (
    "<|start|>system<|message|>Current date: {{ strftime_now('%Y-%m-%d') }}\n"
    "Reasoning: {{ reasoning_effort | default('medium') }}<|end|>"
    "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
SPECIALS = [
    "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|start|>", "<|message|>", "<|end|>", "<|channel|>", "10",
]  # fmt: skip


def judge_of(folder, template):
    """A judge with a chat template, whose special tokens are one token each."""
    tokenizer = tiny_tokenizer(chat_template=template, fresh=True)
    tokenizer.add_tokens(SPECIALS, special_tokens=True)
    options = {"vocab_size": len(tokenizer), "max_position_embeddings": 1024}
    return load_judge(save_judge(folder, tokenizer=tokenizer, **options), LoadOptions(device="cpu"))


def like_after(judge, items, token):
    """Make `token` the judge's answer after the prompts of these items, thinking on."""
    form = PromptFormat(judge.tokenizer, None, chat=find_chat(judge.tokenizer, {"enable_thinking": True}))
    prompts = [prompt_array(row) for row in form.tokenize(form.render(load_items(items)))]
    final = read_states(judge.parts, prompts).final.mean(dim=0)
    judge.model.lm_head.weight.data[judge.tokenizer.convert_tokens_to_ids(token)] = final


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 6)


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (QWEN3, "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        (SMOLLM3, "<|im_start|>assistant\n<think>\n\n</think>\n"),
        (GPT_OSS, "<|start|>assistant"),
    ],
    ids=["qwen3", "smollm3", "gpt-oss"],
)
def test_thinking_is_off_and_the_date_fixed_by_default(tmp_path, items, template, end):
    judge = judge_of(tmp_path / "judge", template)
    cache = run(judge, items, tmp_path / "cache", keep_text=True)
    texts = cache.items["text"].to_list()
    assert all(text.endswith(end) for text in texts)
    assert cache.valid.all()
    if "date" in template.lower():
        assert re.search("26 July 2024|2024-07-26", texts[0])
    # A thinking block is a block of tokens of its own, not of letters.
    ids = judge.tokenizer(texts[0], add_special_tokens=False)["input_ids"]
    assert len(ids) == cache.n_tokens[0]


def test_a_thinking_block_left_open_is_seen_in_the_score_mass(tmp_path, items, capsys):
    judge = judge_of(tmp_path / "judge", QWEN3)
    like_after(judge, items, "<think>")
    options = {"chat_args": {"enable_thinking": True}, "quiet": False}
    run(judge, items, tmp_path / "cache", **options)
    told = capsys.readouterr().err
    assert re.search(
        r"warning: the model gives the score labels a probability of 0\.\d+ together.*say '<think>' ", told
    )
    assert "--chat-args, --answer-prefix and --scale" in told


def test_a_channel_token_is_seen_and_an_answer_prefix_goes_past_it(tmp_path, items, capsys):
    judge = judge_of(tmp_path / "judge", GPT_OSS)
    like_after(judge, items, "<|channel|>")
    run(judge, items, tmp_path / "cache", quiet=False)
    assert "say '<|channel|>' " in capsys.readouterr().err
    options = {"answer_prefix": "<|channel|>final<|message|>", "keep_text": True}
    cache = run(judge, items, tmp_path / "prefixed", **options)
    text = cache.items["text"][0]
    assert text.endswith("<|start|>assistant<|channel|>final<|message|>")
    assert judge.tokenizer(text, add_special_tokens=False)["input_ids"][-1] == judge.tokenizer.convert_tokens_to_ids(
        "<|message|>"
    )


def test_the_warning_is_not_given_where_the_labels_hold_the_probability(tmp_path, items, capsys):
    judge = judge_of(tmp_path / "judge", QWEN3)
    like_after(judge, items, "4")
    run(judge, items, tmp_path / "cache", quiet=False, chat_args={"enable_thinking": True})
    told = capsys.readouterr().err
    assert "score mass: median" in told
    assert "warning:" not in told


@pytest.mark.slow
def test_low_mass_in_generated_text_is_told_too(tmp_path, items, capsys):
    judge = judge_of(tmp_path / "judge", QWEN3)
    judge.model.lm_head.weight.data *= 0.01  # all tokens are as good as equal
    labels = judge.tokenizer.convert_tokens_to_ids(list("12345"))
    judge.model.lm_head.weight.data[labels] *= 5.0
    run(judge, items, tmp_path / "cache", quiet=False, condition="generate", max_invalid=1.0)
    told = capsys.readouterr().err
    assert told.count("warning: the model gives the score labels a probability of") == 1


def test_a_scale_of_ten_needs_a_token_for_ten(tmp_path, items):
    plain = load_judge(save_judge(tmp_path / "plain"), LoadOptions(device="cpu"))
    with pytest.raises(LagerError, match=r"'9' is \['9'\], '10' is \['1', '0'\]; choose labels that are"):
        run(plain, items, tmp_path / "refused", scale="1-10")
    judge = judge_of(tmp_path / "judge", QWEN3)
    cache = run(judge, items, tmp_path / "cache", scale="1-10")
    ids = cache.manifest["fingerprint_inputs"]["scale"]["token_ids"]
    assert judge.tokenizer.convert_ids_to_tokens(ids) == [str(n) for n in range(1, 11)]
    assert cache.logits.shape == (6, 4, 10)

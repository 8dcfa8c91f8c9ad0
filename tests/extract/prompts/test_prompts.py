"""Prompts: one BOS, no date of today, no thinking, fields cut where asked."""

import datetime

import pytest
from lager.data.errors import LagerError
from lager.data.templates.template import Template
from lager.extract.options.groups import PromptOptions
from lager.extract.prompts.chat import find_chat, pin_date
from lager.extract.prompts.prompt_format import cut_text
from support.prompts import render
from support.tiny_models import CHAT_TEMPLATE, tiny_tokenizer


def test_a_chat_template_with_a_bos_gives_one_bos():
    tokenizer = tiny_tokenizer(chat_template=CHAT_TEMPLATE)
    text, ids = render(tokenizer, "prompt", {"prompt": "Rate the text"})
    assert text == "<s><|user|>Rate the text\n<|assistant|>"
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_plain_prompt_gets_the_tokenizers_bos_and_no_eos():
    tokenizer = tiny_tokenizer(eos=True)
    assert tokenizer("Rate")["input_ids"][-1] == tokenizer.eos_token_id
    text, ids = render(tokenizer, "prompt", {"prompt": "Rate the text"})
    assert text == "Rate the text"
    assert ids == tokenizer("Rate the text")["input_ids"][:-1]


def test_the_answer_prefix_follows_the_generation_prompt():
    text, _ = render(tiny_tokenizer(chat_template=CHAT_TEMPLATE), "prompt", {"prompt": "x"}, answer_prefix="Score: ")
    assert text.endswith("<|assistant|>Score: ")
    assert render(tiny_tokenizer(), "prompt", {"prompt": "x"}, answer_prefix="\nScore:")[0] == "x\nScore:"


def test_a_system_text_is_a_message_or_stands_before_the_prompt():
    chat, _ = render(tiny_tokenizer(chat_template=CHAT_TEMPLATE), "prompt", {"prompt": "x"}, system="Be fair.")
    assert "<|system|>Be fair.\n<|user|>x" in chat
    assert render(tiny_tokenizer(), "prompt", {"prompt": "x"}, system="Be fair.")[0] == "Be fair.\n\nx"


def test_messages_are_taken_as_they_are():
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    tokenizer = tiny_tokenizer(chat_template=CHAT_TEMPLATE)
    assert render(tokenizer, "messages", {"messages": messages})[0] == "<s><|system|>S\n<|user|>U\n<|assistant|>"
    with pytest.raises(LagerError, match="item '0': it brings its own system message"):
        render(tokenizer, "messages", {"messages": messages}, system="Other")
    with pytest.raises(LagerError, match="no chat template"):
        render(tiny_tokenizer(), "messages", {"messages": messages})


def test_fields_go_through_the_judging_template():
    text, _ = render(tiny_tokenizer(), "fields", {"response": "R"}, template=Template("t", "Judge {{ response }}"))
    assert text == "Judge R"
    with pytest.raises(LagerError, match="item '0': template t needs response"):
        render(tiny_tokenizer(), "fields", {"answer": "R"}, template=Template("t", "Judge {{ response }}"))


def test_an_error_of_a_chat_template_quotes_no_prompt():
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No: ' + messages[0]['content']) }}{% endif %}"
    )
    with pytest.raises(LagerError, match="refuses messages of the roles system, user") as caught:
        render(tiny_tokenizer(chat_template=template), "prompt", {"prompt": "secret"}, system="secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("form", ["%d %b %Y", "%Y-%m-%d", "%B %d, %Y", "%A, %-d %B %y", "%j"])
def test_a_template_that_asks_for_the_date_gets_a_fixed_one(form):
    template = "\n{% if strftime_now is defined %}{% set d = strftime_now('" + form + "') %}{% endif %}Today: {{ d }}."
    fixed = datetime.datetime(2024, 7, 26)
    text, _ = render(tiny_tokenizer(chat_template=template), "prompt", {"prompt": "x"})
    assert text == f"\nToday: {fixed.strftime(form)}."


def test_the_date_is_an_argument_and_a_bad_one_is_refused():
    template = "{{ date_string }} or {{ strftime_now('%Y-%m-%d') }}"
    tokenizer = tiny_tokenizer(chat_template=template)
    text, _ = render(tokenizer, "prompt", {"prompt": "x"}, chat_args={"date_string": "01 Feb 2020"})
    assert text == "01 Feb 2020 or 2020-02-01"
    with pytest.raises(LagerError, match="expected a date like 26 Jul 2024"):
        render(tokenizer, "prompt", {"prompt": "x"}, chat_args={"date_string": "yesterday"})


def test_a_template_without_a_date_is_not_touched():
    assert pin_date(CHAT_TEMPLATE, "26 Jul 2024") == CHAT_TEMPLATE


def test_thinking_is_off_unless_asked_for():
    tokenizer = tiny_tokenizer(chat_template="{% if enable_thinking %}<think>{% else %}answer:{% endif %}")
    assert render(tokenizer, "prompt", {"prompt": "x"})[0] == "answer:"
    assert render(tokenizer, "prompt", {"prompt": "x"}, chat_args={"enable_thinking": True})[0] == "<think>"


def test_chat_arguments_without_a_chat_template_are_refused():
    with pytest.raises(LagerError, match="no chat template"):
        find_chat(tiny_tokenizer(), {"enable_thinking": True})


@pytest.mark.parametrize("boundary", [False, True])
def test_a_field_is_cut_at_a_token(boundary):
    tokenizer = tiny_tokenizer(boundary=boundary)
    text = "The quick brown fox jumps over the lazy dog."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    for n in range(1, len(ids)):
        cut = cut_text(tokenizer, text, n)
        assert text.startswith(cut)
        assert tokenizer(cut, add_special_tokens=False)["input_ids"] == ids[:n]
    assert cut_text(tokenizer, text, len(ids)) == text
    assert cut_text(tokenizer, text, 0) == ""


def test_only_the_named_field_is_cut():
    template = Template("t", "{{ source }}|{{ response }}")
    fields = {"source": "The quick brown fox", "response": "The quick brown fox"}
    options = {"template": template, "truncate_field": "source", "max_field_tokens": 0}
    assert render(tiny_tokenizer(), "fields", fields, **options)[0] == "|The quick brown fox"
    with pytest.raises(LagerError, match="--truncate-field article: it has no text of that name"):
        render(tiny_tokenizer(), "fields", fields, **{**options, "truncate_field": "article"})
    with pytest.raises(LagerError, match="go together"):
        PromptOptions(truncate_field="source")


@pytest.mark.parametrize("argument", ["tokenize", "chat_template", "continue_final_message"])
def test_chat_arguments_that_the_tokenizer_takes_for_itself_are_refused(argument):
    tokenizer = tiny_tokenizer(chat_template=CHAT_TEMPLATE)
    with pytest.raises(LagerError, match=rf"cannot be rendered with the arguments .*{argument}"):
        render(tokenizer, "prompt", {"prompt": "x"}, chat_args={argument: True})

"""Answers that have begun are gone on with, rendered prompts are told of, and chat templates can be given."""

import json

import pytest
from lager.cli import main_or_raise
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.templates import process
from lager.data.templates.template import Template
from lager.evaluate.score.score_items import score_items
from lager.extract.options.groups import LoadOptions, PromptOptions, ReadOptions
from lager.extract.prompts.chat import DEFAULT_CHAT_ARGS, Chat, find_chat, is_short, load_chat_template
from lager.extract.prompts.notices import prompt_notices
from lager.extract.prompts.prompt_format import PromptFormat
from lager.extract.run.reread import reread_sample
from lager.train.files.aggregator_file import load_aggregator, save_aggregator
from lager.train.training_run import train_on_cache
from support.extraction import run, write_items
from support.prompts import items_of, render
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer

MESSAGES = [{"role": "user", "content": "Rate it"}, {"role": "assistant", "content": "Score: "}]
CLOSED = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
UNTRIMMED = CLOSED.replace(" | trim", "")
OTHER = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"


def messages_of(*contents):
    return {"messages": [{"role": role, "content": text} for role, text in contents]}


def test_a_last_message_of_the_assistant_is_gone_on_with():
    for template, end in ((UNTRIMMED, "Score: "), (CLOSED, "Score:")):
        tokenizer = tiny_tokenizer(chat_template=template)
        text, _ = render(tokenizer, "messages", {"messages": MESSAGES})
        assert text == f"<s><|user|>Rate it</s><|assistant|>{end}"
        assert text == tokenizer.apply_chat_template(MESSAGES, tokenize=False, continue_final_message=True)


def test_an_empty_one_opens_the_turn_that_it_would_have_closed():
    tokenizer = tiny_tokenizer(chat_template=UNTRIMMED)
    for begun in ("", " "):
        text, _ = render(tokenizer, "messages", messages_of(("user", "Rate it"), ("assistant", begun)))
        assert text == "<s><|user|>Rate it</s><|assistant|>" + begun
    middle = messages_of(("user", "a"), ("assistant", "b"), ("user", "c"))
    assert render(tokenizer, "messages", middle)[0] == "<s><|user|>a</s><|assistant|>b</s><|user|>c</s><|assistant|>"


def test_an_answer_begins_in_one_way():
    tokenizer = tiny_tokenizer(chat_template=UNTRIMMED)
    with pytest.raises(LagerError, match="item '0': it ends in the beginning of an answer, and --answer-prefix"):
        render(tokenizer, "messages", {"messages": MESSAGES}, answer_prefix="Score: ")
    hidden = tiny_tokenizer(chat_template="{% for m in messages %}{{ m['content'] | upper }}{% endfor %}")
    with pytest.raises(LagerError, match=r"changes the last assistant message.*give --answer-prefix"):
        render(hidden, "messages", {"messages": MESSAGES})
    prompt_format = PromptFormat(tokenizer, None, chat=find_chat(tokenizer, None))
    items = items_of("messages", {"messages": MESSAGES}, {"messages": MESSAGES[:1]})
    (line,) = prompt_notices(prompt_format, items, prompt_format.render(items))
    assert line.startswith("1 of 2 prompts end in a message of the assistant")


@pytest.mark.parametrize("boundary", [False, True])
def test_a_text_with_a_bos_gets_no_second_one(boundary):
    tokenizer = tiny_tokenizer(boundary=boundary)
    _, ids = render(tokenizer, "prompt", {"prompt": "<s>Rate the text"})
    assert ids == tokenizer("<s>Rate the text", add_special_tokens=False)["input_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1
    _, ids = render(tokenizer, "fields", {}, template=Template("t", "{{ '<s>' }}Rate"))
    assert ids.count(tokenizer.bos_token_id) == 1


RENDERED = "<s><|user|>Rate it\n<|assistant|>"


def test_rendered_prompts_are_told_and_can_be_read_as_they_are():
    tokenizer = tiny_tokenizer(chat_template=CHAT_TEMPLATE)
    items = items_of("prompt", {"prompt": RENDERED}, {"prompt": "Rate it"})
    prompt_format = PromptFormat(tokenizer, None, chat=find_chat(tokenizer, None))
    (line,) = prompt_notices(prompt_format, items, prompt_format.render(items))
    assert line.startswith("1 of 2 prompts look like conversations that are rendered already (<s>, <|assistant|>, <|us")
    assert line.endswith("--chat-template none reads them as they are")
    text, ids = render(tokenizer, "prompt", {"prompt": RENDERED}, chat_template="")
    assert text == RENDERED
    assert ids == tokenizer(RENDERED, add_special_tokens=False)["input_ids"]
    bare = PromptFormat(tokenizer, None, chat=find_chat(tokenizer, None, ""))
    assert prompt_notices(bare, items, bare.render(items)) == []


def test_markers_that_are_no_tokens_are_recognised_by_how_the_template_begins():
    tokenizer = tiny_tokenizer(chat_template="{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}")
    prompt_format = PromptFormat(tokenizer, None, chat=find_chat(tokenizer, None))
    items = items_of("prompt", {"prompt": "[INST] Rate it [/INST]"}, {"prompt": "Rate [INST]"})
    (line,) = prompt_notices(prompt_format, items, prompt_format.render(items))
    assert line.startswith("1 of 2 prompts look like conversations that are rendered already ([INST])")


def test_a_chat_template_of_a_file_takes_the_place_of_the_tokenizers(tmp_path):
    path = tmp_path / "other.jinja"
    path.write_text(OTHER)
    for tokenizer in (tiny_tokenizer(chat_template=CHAT_TEMPLATE), tiny_tokenizer()):
        assert render(tokenizer, "messages", {"messages": MESSAGES[:1]}, chat_template=OTHER)[0] == "[Rate it]"
    assert load_chat_template(path) == OTHER
    assert (load_chat_template("none"), load_chat_template(None)) == ("", None)
    with pytest.raises(LagerError, match="cannot read chat template"):
        load_chat_template(tmp_path / "missing.jinja")
    path.write_text("")
    with pytest.raises(LagerError, match="is empty: give none"):
        load_chat_template(path)
    with pytest.raises(LagerError, match="--chat-template none leaves it out"):
        find_chat(tiny_tokenizer(chat_template=CHAT_TEMPLATE), {"enable_thinking": True}, "")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 1 / 0 }}", r"fails on messages of the roles user \(ZeroDivisionError\): give another one"),
        ("{{ messages[0]['content'] + 1 }}", r"fails on messages of the roles user \(TypeError\): give another one"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", r"fails on messages .*\(RecursionError\)"),
        ("{% if %}", "the chat template is no Jinja template: line 1"),
    ],
)
def test_a_template_that_fails_blames_no_argument_that_nobody_gave(template, said):
    with pytest.raises(LagerError, match=said) as caught:
        render(tiny_tokenizer(chat_template=template), "prompt", {"prompt": "x"})
    assert "argument" not in str(caught.value)
    if "1 / 0" in template:
        with pytest.raises(LagerError, match=r"cannot be rendered with the arguments mine \(ZeroDivisionError\)"):
            render(tiny_tokenizer(chat_template=template), "prompt", {"prompt": "x"}, chat_args={"mine": 1})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    save_judge(folder / "model", tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE))
    (folder / "other.jinja").write_text(OTHER)
    write_items(folder / "items.jsonl", 8)
    return folder


@pytest.fixture(scope="module")
def caches(place):
    return {
        given: run(place / "model", place / "items.jsonl", place / f"c-{given}", chat_template=given, keep_text=True)
        for given in (None, "none", place / "other.jinja")
    }


@pytest.mark.slow
def test_a_given_template_is_in_the_fingerprint(place, caches):
    own, none, other = caches.values()
    assert len({cache.fingerprint for cache in caches.values()}) == 3
    prompts = [cache.manifest["fingerprint_inputs"]["prompt"] for cache in caches.values()]
    assert [one.get("chat_template_given") for one in prompts] == [None, True, True]
    assert [one["chat_template"] for one in prompts] == [CHAT_TEMPLATE, None, OTHER]
    for cache in caches.values():
        again = reread_sample(place / "model", cache, load=LoadOptions(device="cpu"), say=str)
        assert again.differing == {}
    for cache in (own, none):
        items = place / "items.jsonl"
        assert reread_sample(place / "model", cache, items=items, load=LoadOptions(device="cpu"), say=str)
    with pytest.raises(LagerError, match="read with a chat template of a file"):
        reread_sample(place / "model", other, items=place / "items.jsonl", load=LoadOptions(device="cpu"), say=str)


def test_new_items_are_read_as_in_training(place, caches, tmp_path):
    def scored(given, **asked):
        file, out = tmp_path / "a.json", tmp_path / "s.csv"
        for path in (file, out):
            path.unlink(missing_ok=True)
        save_aggregator(file, train_on_cache(caches[given], strategy="lager").record)
        options = ReadOptions(PromptOptions(**asked))
        assert load_aggregator(file).reading.chat_template == {None: None, "none": "none"}.get(given, "given")
        return score_items(place / "model", place / "items.jsonl", file, out=out, options=options, say=str).notes

    other = place / "other.jinja"
    assert scored(None) == scored("none") == scored(other, chat_template=other) == []
    assert scored(None, chat_template="none")[0].startswith("prompts are read in another way")
    with pytest.raises(LagerError, match="another chat template than the model's: give it"):
        scored(other)


def test_the_command_takes_the_template_and_tells_of_rendered_prompts(place, tmp_path, capsys):
    items = tmp_path / "items.jsonl"
    items.write_text(json.dumps({"id": "a", "prompt": RENDERED, "score": 3}) + "\n")
    arguments = ["extract", str(place / "model"), str(items), "--keep-text", "--cache"]
    main_or_raise([*arguments, str(tmp_path / "twice")])
    assert "1 of 1 prompts look like conversations that are rendered already" in capsys.readouterr().err
    main_or_raise([*arguments, str(tmp_path / "once"), "--chat-template", "none"])
    assert "rendered already" not in capsys.readouterr().err
    once = FeatureCache.open(tmp_path / "once")
    assert once.items["text"].to_list() == [RENDERED]
    assert once.read_shard(0).n_tokens[0] < FeatureCache.open(tmp_path / "twice").read_shard(0).n_tokens[0]


NESTED = "{% for i in range(99999) %}{% for j in range(99999) %}@{% endfor %}{% endfor %}"
ENDLESS = {
    "runs": NESTED.replace("@", ""),
    "writes": NESTED.replace("@", "{{ i }}"),
    "doubles": "{% set x = messages[0]['content'] %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
    "repeats": "{{ 'a' * 10 ** 9 }}",
}


@pytest.mark.parametrize("way", ENDLESS)
def test_a_chat_template_that_does_not_end_is_one_line(monkeypatch, way):
    monkeypatch.setattr(process, "_SECONDS", 0.5)
    chat = Chat(tiny_tokenizer(chat_template=ENDLESS[way]), ENDLESS[way], DEFAULT_CHAT_ARGS)
    with pytest.raises(LagerError, match="took more than 0\\.5 s or 1024 MiB of memory for one prompt"):
        chat.render(MESSAGES[:1])


@pytest.mark.parametrize(
    "text", ["{{ 1 / 0 }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ messages[7]['content'] }}"]
)
def test_a_chat_template_that_fails_is_one_line(text):
    with pytest.raises(LagerError, match=r"the chat template (fails on|refuses) messages of the roles user"):
        Chat(tiny_tokenizer(chat_template=text), text, DEFAULT_CHAT_ARGS).render(MESSAGES[:1])


def test_the_forms_of_real_chat_templates_are_rendered_as_before():
    text = (
        "{%- set ns = namespace(n=0) %}{% for m in messages %}{% for part in [m['content']] %}"
        "{% if not part %}{% break %}{% endif %}{% generation %}{{ part | tojson }}{% endgeneration %}"
        "{% endfor %}{% endfor %}{{ strftime_now('%Y') }}"
    )
    assert not is_short(text)
    assert Chat(tiny_tokenizer(chat_template=text), text, DEFAULT_CHAT_ARGS).render(MESSAGES[:1]) == '"Rate it"2024'

"""Options: one declaration each, made and written in one way."""

import inspect
import json
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from lager import LagerError, Scale, extract_features
from lager.extract.options.groups import (
    BatchOptions,
    ExtractOptions,
    ItemOptions,
    LoadOptions,
    PromptOptions,
    ReadOptions,
    RunOptions,
    WorkerOptions,
)
from lager.extract.options.option import as_json, given_flags, make, options_of, values_of

GROUPS = (PromptOptions, LoadOptions, BatchOptions, ItemOptions, RunOptions, WorkerOptions)


def test_the_options_of_a_call_end_in_the_groups_that_they_are_about():
    made = make(ExtractOptions, {"system": "Be fair.", "device": "cpu", "limit": 3, "keep_text": True})
    assert made.prompts == PromptOptions(system="Be fair.")
    assert made.load == LoadOptions(device="cpu")
    assert made.items == ItemOptions(limit=3)
    assert made.run == RunOptions(keep_text=True)
    with pytest.raises(FrozenInstanceError):
        made.run.keep_text = False


def test_an_option_that_there_is_not_is_named_with_those_that_there_are():
    with pytest.raises(TypeError, match=r"no option colour, size: expected some of template, .*, share_prefixes"):
        make(ReadOptions, {"colour": "blue", "system": "x", "size": 3})


def test_no_two_options_have_one_name_and_each_says_what_it_is():
    names = [one.name for group in GROUPS for one in fields(group)]
    assert len(set(names)) == len(names)
    assert all(one.text.endswith(".") for group in GROUPS for one in options_of(group).values())


def test_options_go_to_another_process_as_json_and_come_back():
    made = make(
        ExtractOptions,
        {
            "template": Path("my.jinja"),
            "chat_args": {"enable_thinking": True},
            "scale": Scale.parse("A=4,B=3"),
            "human_range": (0.0, 100.0),
            "features": ("logits", "hidden"),
            "group": ["a", "b"],
            "max_invalid": 0.5,
        },
    )
    written = as_json(made)
    assert json.loads(json.dumps(written)) == written
    again = make(ExtractOptions, written)
    assert as_json(again) == written
    assert Scale.parse(again.prompts.scale) == made.prompts.scale
    assert (again.prompts.template, again.prompts.chat_args) == ("my.jinja", {"enable_thinking": True})
    assert list(again.items.human_range) == [0.0, 100.0]
    assert again.run.max_invalid == 0.5


def test_python_s_call_has_every_option_as_a_keyword_with_the_same_default():
    keywords = inspect.signature(extract_features).parameters
    known = options_of(ExtractOptions) | options_of(WorkerOptions)
    assert keywords.keys() - known.keys() == {"model", "items", "cache", "quiet"}
    told_by_name = {"answer_prefix": "", "condition": "direct", "dtype": "auto"}  # what None stands for
    assert {name: keywords[name].default for name in known} == {
        name: told_by_name.get(name, one.default) for name, one in known.items()
    }


def test_reading_each_prompt_by_itself_shares_nothing():
    assert BatchOptions(deterministic=True, batch_tokens=99).batch_tokens == 1
    assert not BatchOptions(deterministic=True).share_prefixes
    assert values_of(BatchOptions()) == {"batch_tokens": 8192, "share_prefixes": True, "deterministic": False}


def test_what_was_given_is_named_as_on_the_command_line():
    options = make(ReadOptions, {"max_field_tokens": 0, "truncate_field": "response", "share_prefixes": False})
    assert given_flags(options) == ["--truncate-field", "--max-field-tokens", "--no-prefix-sharing"]
    assert given_flags(ReadOptions()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"limit": 0}, "--limit 0: expected at least 1"),
        ({"batch_tokens": 0}, "--batch-tokens 0: expected at least 1"),
        ({"max_invalid": 1.5}, "--max-invalid 1.5: expected a part between 0 and 1"),
        ({"max_failures": -1}, "--max-failures -1: expected 0 or more"),
        ({"max_field_tokens": 5}, "--truncate-field and --max-field-tokens go together"),
        ({"truncate_field": "response", "max_field_tokens": -1}, "--max-field-tokens -1: expected 0 or more"),
    ],
)
def test_values_that_mean_nothing_are_refused_before_a_file_is_touched(options, told):
    with pytest.raises(LagerError, match=told):
        make(ExtractOptions, options)

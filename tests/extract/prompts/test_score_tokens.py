"""Score tokens are found in the context of the prompt, and refused where they are not single tokens."""

import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.extract.prompts.prompt_format import PromptFormat
from lager.extract.prompts.score_tokens import ScoreTokenResolver, resolve_all
from support.tiny_models import tiny_tokenizer

FIVE = Scale.parse("1-5")


def resolver_of(tokenizer, *, scale=FIVE, sep=""):
    tokenize = PromptFormat(tokenizer, scale).tokenize
    return ScoreTokenResolver(tokenize, tokenizer, scale, sep), tokenize


def resolved(text, *, tokenizer=None, scale=FIVE, sep=""):
    tokenizer = tokenizer or tiny_tokenizer()
    resolver, tokenize = resolver_of(tokenizer, scale=scale, sep=sep)
    (ids,) = tokenize([text])
    return resolver.resolve(text, ids), resolver.prompt_ids(text, ids), ids


def test_bare_digits_follow_the_prompt_directly():
    tokenizer = tiny_tokenizer()
    tokens, ids, plain = resolved("Answer:", tokenizer=tokenizer)
    assert tokenizer.convert_ids_to_tokens(list(tokens.label_ids)) == ["1", "2", "3", "4", "5"]
    assert tokens.prefix_ids == ()
    assert ids == plain


def test_a_word_boundary_piece_is_appended_to_the_prompt():
    tokenizer = tiny_tokenizer(boundary=True)
    tokens, ids, plain = resolved("Answer:", tokenizer=tokenizer, sep=" ")
    assert tokenizer.convert_ids_to_tokens(list(tokens.prefix_ids)) == ["▁"]
    assert tokenizer.convert_ids_to_tokens(list(tokens.label_ids)) == ["1", "2", "3", "4", "5"]
    assert ids == [*plain, *tokens.prefix_ids]


def test_ids_with_the_label_equal_the_tokenizers_own():
    for boundary, sep in ((False, ""), (True, ""), (True, " ")):
        tokenizer = tiny_tokenizer(boundary=boundary)
        tokens, ids, _ = resolved("Answer: Score:", tokenizer=tokenizer, sep=sep)
        assert [*ids, tokens.label_ids[1]] == tokenizer(f"Answer: Score:{sep}2")["input_ids"]


def joined_space_tokenizer():
    """A vocabulary in which a space before a digit belongs to the digit's token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {c: i for i, c in enumerate([*"Score:12345", "Ġ"])}
    vocabulary = {c: i for i, c in enumerate(dict.fromkeys([*letters, "Ġ1", "Ġ2", "Ġ3", "Ġ4", "Ġ5"]))}
    model = models.BPE(vocab=vocabulary, merges=[("Ġ", d) for d in "12345"])
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_prompt_that_ends_in_a_space_is_tried_without_it():
    tokenizer = joined_space_tokenizer()
    tokens, ids, plain = resolved("Score: ", tokenizer=tokenizer, sep="")
    # "Score:" + "5" is what remains: the space is taken off the prompt, not moved to the label.
    assert tokenizer.convert_ids_to_tokens(ids)[-1] == ":"
    assert len(ids) == len(plain) - 1
    assert tokenizer.convert_ids_to_tokens(list(tokens.label_ids)) == ["1", "2", "3", "4", "5"]
    spaced, _, _ = resolved("Score:", tokenizer=tokenizer, sep=" ")
    assert tokenizer.convert_ids_to_tokens(list(spaced.label_ids)) == ["Ġ1", "Ġ2", "Ġ3", "Ġ4", "Ġ5"]


def test_a_label_that_is_two_tokens_is_an_error_that_lists_all_tokens():
    with pytest.raises(LagerError, match=r"'9' is \['9'\], '10' is \['1', '0'\]"):
        resolved("Answer:", tokenizer=tiny_tokenizer(boundary=True), scale=Scale.parse("1-10"))


def test_labels_of_which_one_begins_another_are_no_labels():
    with pytest.raises(LagerError, match=r"'1' is \['1'\], '12' is \['1', '2'\]"):
        resolved("Answer:", scale=Scale.parse("1=1,12=2"), tokenizer=tiny_tokenizer(boundary=True))


def test_an_unknown_label_is_an_error():
    with pytest.raises(LagerError, match="<unk>"):
        resolved("Answer:", tokenizer=tiny_tokenizer(boundary=True), scale=Scale.parse("好=1,3=0"))


def test_tokens_are_resolved_again_where_the_prompt_ends_differently():
    tokenizer = tiny_tokenizer()
    calls = []
    resolver, tokenize = resolver_of(tokenizer)
    resolver.tokenize = lambda texts: calls.append(len(texts)) or tokenize(texts)
    texts = ["A. Score:" + "x" * 40, "B. Score:" + "x" * 40, "B. Score:" + "x" * 39 + "y"]
    ids = tokenize(texts)
    resolve_all(resolver, ["a", "b", "c"], texts, ids)
    assert calls == [5, 5]


def test_tokens_that_differ_between_items_are_an_error_that_names_the_item():
    tokenizer = joined_space_tokenizer()
    resolver, tokenize = resolver_of(tokenizer)
    plan = {"a": "Score:", "b": "Score"}
    resolve_all(resolver, list(plan), list(plan.values()), tokenize(list(plan.values())))
    other, _ = resolver_of(tokenizer)
    other._known[("Score", tuple(tokenize(["Score"])[0][-4:]))] = resolver_of(tokenizer, sep=" ")[0]._find(
        "Score", tokenize(["Score"])[0]
    )
    with pytest.raises(LagerError, match="item 'b': its score tokens are"):
        resolve_all(other, list(plan), list(plan.values()), tokenize(list(plan.values())))

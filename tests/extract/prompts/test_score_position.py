"""Where the score is in a generated text, found in its tokens."""

from functools import cache

import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale
from lager.extract.prompts.generated_labels import NO_FORM, LabelToken, find_label_forms, find_score, token_pieces
from lager.extract.prompts.prompt_format import PromptFormat
from support.tiny_models import tiny_tokenizer

FIVE = Scale.parse("1-5")


@cache
def tokenizer_of(boundary):
    """Return a tokenizer with a piece for the space before a digit, or with a token for a digit and its space."""
    if boundary:
        return tiny_tokenizer(boundary=True)
    tokenizer = tiny_tokenizer(fresh=True)
    tokenizer.add_tokens([f" {digit}" for digit in range(10)])
    return tokenizer


def found(text, *, rule, boundary=False, scale=FIVE):
    """Return the text before the score's token and the label, or None."""
    tokenizer = tokenizer_of(boundary)
    forms = find_label_forms(PromptFormat(tokenizer, scale).tokenize, tokenizer, scale)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    score = find_score(ids, token_pieces(tokenizer, ids), forms.tokens, rule=rule)
    if score is None:
        return None
    label = scale.labels[forms.tokens[ids[score.at]].label]
    return tokenizer.decode(ids[: score.at]).strip(), label


@pytest.mark.parametrize("boundary", [False, True])
@pytest.mark.parametrize(
    ("text", "before", "label"),
    [
        ("It is fine. Score: 4", "It is fine. Score:", "4"),
        ("I count 3 faults.\nSCORE: 2. That leaves 5 open.", "I count 3 faults.\nSCORE:", "2"),
        ("Score: 4/5", "Score:", "4"),
        ("A score of 2 would be harsh. Final score: 3", "A score of 2 would be harsh. Final score:", "3"),
        ("Score (1-5): 3", "Score (1-5):", "3"),
        ("The score, from 1 to 5, is 2", "The score, from 1 to 5, is", "2"),
        ("I give it a 4.", "I give it a", "4"),
        ("I give it 2 out of 5", "I give it", "2"),
        ("Rating 4. No score can tell all.", "Rating", "4"),
        ("评分3分 Score:5", "评分3分 Score:", "5"),
    ],
)
def test_the_marker_rule_reads_the_label_after_the_last_marker_else_the_last(text, before, label, boundary):
    if boundary and ("\n" in text or "评" in text):
        pytest.skip("not in that vocabulary")
    assert found(text, rule="marker", boundary=boundary) == (before, label)


@pytest.mark.parametrize("text", ["Score: 10", "Score: 45 points", "no number", "Score: v2x", ""])
def test_a_label_inside_a_number_or_a_word_is_no_score(text):
    assert found(text, rule="marker") is None


def test_the_last_rule_reads_the_last_label_token_whatever_surrounds_it():
    assert found("Score: 4. Of 10 items, 25 fail", rule="last") == ("Score: 4. Of 10 items, 2", "5")
    assert found("no number", rule="last") is None


def test_a_label_without_counterparts_is_found_and_has_no_form():
    tokenizer = tiny_tokenizer()  # " 3" is one token of it, " 4" is two
    forms = find_label_forms(PromptFormat(tokenizer, FIVE).tokenize, tokenizer, FIVE)
    assert len(forms.ids) == 1
    ids = tokenizer("A score of 2 is too low. Score: 3", add_special_tokens=False)["input_ids"]
    score = find_score(ids, token_pieces(tokenizer, ids), forms.tokens, rule="marker")
    assert (score.at, score.form) == (len(ids) - 1, NO_FORM)


def test_letters_of_a_word_are_no_labels():
    letters = Scale.parse("A=3,B=2,C=1")
    assert found("A bad Answer. Score: B", rule="marker", scale=letters) == ("A bad Answer. Score:", "B")


def test_a_score_between_letters_of_another_script_stands_alone():
    pieces = ["评", "分", "4", "分"]
    assert find_score([1, 2, 3, 4], pieces, {3: LabelToken(0, 3)}, rule="marker").at == 2


def test_ten_is_a_label_where_the_vocabulary_has_it():
    tokenizer = tiny_tokenizer()
    ten = Scale.parse("1-10")
    tokenize = PromptFormat(tokenizer, ten).tokenize
    with pytest.raises(LagerError, match=r"'10' is \['1', '0'\]"):
        find_label_forms(tokenize, tokenizer, ten)
    tokenizer = tiny_tokenizer(fresh=True)
    tokenizer.add_tokens(["10"])
    tokenize = PromptFormat(tokenizer, ten).tokenize
    forms = find_label_forms(tokenize, tokenizer, ten)
    ids = tokenizer("Score: 10", add_special_tokens=False)["input_ids"]
    score = find_score(ids, token_pieces(tokenizer, ids), forms.tokens, rule="marker")
    assert forms.tokens[ids[score.at]].label == 9
    assert find_score(ids, token_pieces(tokenizer, ids), forms.tokens, rule="last").at == score.at


def test_unknown_ids_and_bytes_of_a_vocabulary_do_no_harm():
    class Odd:
        def convert_ids_to_tokens(self, ids):
            return [None, b"Score", "<0x0A>", "▁4"]

    pieces = token_pieces(Odd(), [900, 1, 2, 3])
    assert pieces == ["", "Score", "<0x0A>", " 4"]
    assert find_score([900, 1, 2, 3], pieces, {3: LabelToken(1, 3)}, rule="marker") == (3, 1)

"""Scores in written judgements: two hundred, in the forms that judges use, with other numbers in their reasons."""

from functools import cache

import pytest
from lager.data.scale import Scale
from lager.extract.prompts.generated_labels import find_label_forms, find_score, token_pieces
from lager.extract.prompts.prompt_format import PromptFormat
from support.tiny_models import tiny_tokenizer

#: What judges write before or after their score; each holds numbers, or the word score, that are not it.
REASONS = (
    "The response earns this because it covers 3 of the 5 points.",
    "It scores well on 2 criteria. A score of 1 would be harsh.",
    "I count 3 faults in 2 paragraphs; on a scale of 1 to 5 that is usual.",
    "Step 1 is right, step 2 is not. Compared with 4 others it holds up.",
)

#: How a score is announced, before a reason or behind it.
ANYWHERE = (
    "Score: {n}", "score: {n}", "SCORE: {n}", "Score : {n}", "Score = {n}", "**Score:** {n}", "**Score: {n}**",
    "Score: **{n}**", "Score: ({n})", "Score: [{n}]", "Rating: {n}", "Rating: [[{n}]]", "[[{n}]]", "[RESULT] {n}",
    "[RESULT]\n{n}", "Score: {n}/5", "Score: {n} out of 5", "Score (1-5): {n}", "Score from 1 to 5: {n}",
    "Final score: {n}", "Overall rating: {n}", "My score is {n}.", "The score, from 1 to 5, is {n}.",
    "<score>{n}</score>", "# Score\nScore:\n{n}",
)  # fmt: skip

#: Whole judgements: what stands in them, and which label is the score.
WHOLE = (
    ('{"score": 4, "reason": "covers 3 of the 5 points"}', "4"),
    ('{"reason": "covers 3 of the 5 points", "score": 4}', "4"),
    ('{\n  "rating": "2",\n  "because": "a score of 5 needs 3 sources"\n}', "2"),
    ("Feedback: it deserves more than a score of 2. [RESULT] 3", "3"),
    ("Clarity score: 3\nDepth score: 5\nScore: 4", "4"),
    ("Clarity score: 3\nDepth score: 5\nOverall score: 4", "4"),
    ("A score of 2 would be harsh. Final score: 3", "3"),
    ("I would give it a score of 4.", "4"),
    ("I would rate it 2, since 1 of 5 claims is false. Not bad.", "2"),
    ("Score: 10. It has 3 faults.", None),
    ("Score: 0\nIt misses all 5 points.", None),
    ("Score: 1-5 scale. Score: 2", "2"),
    ("Nothing to say.", None),
    ("I give it a 4.", "4"),
)


@cache
def tokenizer():
    """A tokenizer with a token for a digit and one for a digit with its space."""
    made = tiny_tokenizer(fresh=True)
    made.add_tokens([f" {digit}" for digit in range(10)])
    return made


def label_read(text):
    """The label that a text is read at by the marker rule, or None."""
    scale = Scale.parse("1-5")
    forms = find_label_forms(PromptFormat(tokenizer(), scale).tokenize, tokenizer(), scale)
    ids = tokenizer()(text, add_special_tokens=False)["input_ids"]
    score = find_score(ids, token_pieces(tokenizer(), ids), forms.tokens, rule="marker")
    return None if score is None else scale.labels[forms.tokens[ids[score.at]].label]


@pytest.mark.parametrize("form", ANYWHERE)
def test_the_announced_score_is_read_whatever_numbers_are_in_the_reasons(form):
    for place, reason in enumerate(REASONS):
        announced = form.format(n=4 - place % 3)
        for text in (f"{announced}\n\n{reason}", f"{reason}\n{announced}"):
            assert (text, label_read(text)) == (text, str(4 - place % 3))


@pytest.mark.parametrize(("text", "label"), WHOLE)
def test_a_whole_judgement_is_read_at_its_score(text, label):
    assert label_read(text) == label


def test_there_are_two_hundred_of_them():
    assert len(ANYWHERE) * len(REASONS) * 2 + len(WHOLE) > 200

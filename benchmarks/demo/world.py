"""The demo's world: a request to describe some things, and writers who answer it, in two styles of English.

All text comes from the short lists and sentence forms below and a seeded generator.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

_THINGS = "lamp door boat road bell tower bridge garden wall roof cart gate field mill barn clock"
_LOOKS = "red blue green white black old new wet dry tall short warm cold clean quiet loud"
THINGS = tuple(_THINGS.split())
LOOKS = tuple(_LOOKS.split())
N_ASKED = 4


@dataclass(frozen=True)
class Style:
    """A way of writing: its sentences, where ``{n}`` is a thing, ``{v}`` its look, ``{things}`` the list asked for."""

    requests: tuple[str, ...]
    statements: tuple[str, ...]
    fillers: tuple[str, ...]
    courteous: tuple[str, ...]
    rude: tuple[str, ...]


PLAIN = Style(
    requests=("Describe {things}.", "Tell me about {things}."),
    statements=("The {n} is {v}.", "The {n} was {v}."),
    fillers=("I found this.", "Here is my answer.", "More can be said later.", "I wrote this today."),
    courteous=(
        "Thank you for asking.",
        "I hope this helps you.",
        "It was a pleasure to look.",
        "Please ask me again soon.",
    ),
    rude=("Do not ask me again.", "You could look yourself.", "This was a waste of time.", "I am bored of you."),
)
ORNATE = Style(
    requests=("Please report how {things} look.", "I would like to hear of {things}."),
    statements=(
        "We saw a {v} {n} there.",
        "As for the {n}, it looked {v}.",
        "Indeed {v} seemed the {n}.",
        "Look, a {v} {n}.",
    ),
    fillers=("One could go on about this place.", "My friend says much the same.", "So much for that.", "Well then."),
    courteous=(
        "I thank you for this pleasure.",
        "Ask and I gladly help again.",
        "A kind request, thank you.",
        "At your service.",
    ),
    rude=("What a waste, look there yourself.", "I am so bored of this.", "A silly request, I found.", "Go away then."),
)


@dataclass(frozen=True)
class Writer:
    """A simulated system: how likely it is to cover what was asked, to be courteous, and to write clearly."""

    name: str
    coverage: float
    courtesy: float
    clarity: float


@dataclass(frozen=True)
class Request:
    """What every writer of one cluster is given."""

    things: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Answer:
    """A response, and the shares (0 to 1) that the criteria ask for."""

    text: str
    shares: dict[str, float]


def pick_style(rng: random.Random, ornate: float) -> Style:
    """Return `ORNATE` with probability `ornate`, else `PLAIN`."""
    return ORNATE if rng.random() < ornate else PLAIN


def make_request(rng: random.Random, *, ornate: float) -> Request:
    """Draw the request of one cluster; `ornate` is the probability of the ornate style."""
    things = rng.sample(THINGS, N_ASKED)
    listed = ", ".join(f"the {thing}" for thing in things[:-1]) + f" and the {things[-1]}"
    return Request(tuple(things), rng.choice(pick_style(rng, ornate).requests).format(things=listed))


def make_answer(rng: random.Random, request: Request, writer: Writer, *, ornate: float) -> Answer:
    """Write one response.

    Each thing asked for gets a statement, or else its place goes to a statement on another thing or to filler; two or
    three sentences are courteous or rude; and any sentence may be garbled. So the number of sentences says nothing of
    the quality.
    """
    style = pick_style(rng, ornate)
    covered = [rng.random() < writer.coverage for _ in request.things]
    others = rng.sample([thing for thing in THINGS if thing not in request.things], N_ASKED)
    sentences = []
    for thing, other, told in zip(request.things, others, covered, strict=True):
        if told or rng.random() < 0.5:
            form = rng.choice(style.statements)
            sentences.append(form.format(n=thing if told else other, v=rng.choice(LOOKS)))
        else:
            sentences.append(rng.choice(style.fillers))
    kind = [rng.random() < writer.courtesy for _ in range(rng.randint(2, 3))]
    sentences += [rng.choice(style.courteous if one else style.rude) for one in kind]
    rng.shuffle(sentences)
    clear = [rng.random() < writer.clarity for _ in sentences]
    text = " ".join(one if fine else garble(rng, one) for one, fine in zip(sentences, clear, strict=True))
    shares = {
        "coverage": sum(covered) / N_ASKED,
        "courtesy": sum(kind) / len(kind),
        "clarity": sum(clear) / len(clear),
    }
    return Answer(text, shares)


def garble(rng: random.Random, sentence: str) -> str:
    """Return the sentence with its words in another order, or with one word said twice."""
    words = sentence.rstrip(".").split()
    order: Sequence[str] = words
    if rng.random() < 0.5 and len(words) > 1:
        while order == words:
            order = rng.sample(words, len(words))
    else:
        at = rng.randrange(len(words))
        order = [*words[: at + 1], *words[at:]]
    return " ".join(order) + "."

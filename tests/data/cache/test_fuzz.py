"""A short, deterministic part of what `benchmarks/attacks/fuzz.py` does at length."""

import importlib
import sys

import pytest


@pytest.fixture(scope="module")
def fuzzing(repository):
    sys.path.insert(0, str(repository / "benchmarks" / "attacks"))
    try:
        yield importlib.import_module("fuzz")
    finally:
        sys.path.remove(str(repository / "benchmarks" / "attacks"))


def test_mutated_files_give_an_error_of_our_own_or_a_sound_result(fuzzing):
    outcomes = fuzzing.fuzz(range(104), block=52)
    assert {number: outcome for number, outcome in outcomes.items() if outcome not in fuzzing.GOOD} == {}
    for kind in range(len(fuzzing.KINDS)):
        ended = [outcome for number, outcome in outcomes.items() if number % len(fuzzing.KINDS) == kind]
        assert len(ended) == 8
        assert "error of our own" in ended, fuzzing.KINDS[kind]

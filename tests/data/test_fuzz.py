"""A short, deterministic part of what `benchmarks/fuzz.py` does at length."""

import importlib.util

import pytest


@pytest.fixture(scope="module")
def fuzzing(repository):
    path = repository / "benchmarks" / "fuzz.py"
    spec = importlib.util.spec_from_file_location("fuzz", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mutated_files_give_an_error_of_our_own_or_a_sound_result(fuzzing):
    counts, failed = fuzzing.fuzz(range(420), block=210)
    assert failed == {}
    assert counts.total() == 420
    assert all(any(kind in outcome for outcome in counts) for kind in fuzzing.KINDS)

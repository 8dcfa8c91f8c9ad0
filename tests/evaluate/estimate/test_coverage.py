"""Intervals hold the true mean as often as they say: the simulation of docs/metrics.md in short."""

import importlib.util

import pytest


@pytest.fixture(scope="module")
def simulation(repository):
    spec = importlib.util.spec_from_file_location("means", repository / "benchmarks" / "simulations" / "means.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("design", "judge"), [("clusters", "one"), ("items", "one"), ("clusters", "fitted"), ("items", "doubt")]
)
def test_nearly_all_intervals_hold_the_truth(simulation, design, judge):
    scenario = simulation.Scenario(design, 20, True, 0.7, 0.9, judge)
    held, width, _ = simulation.coverage(scenario, 60)
    assert held[0] >= 88  # three simulation errors below 95 are 87
    assert held[2] >= 88
    assert width < 0.97


def test_a_judge_fitted_on_the_labels_and_scored_in_sample_would_be_seen(simulation):
    scenario = simulation.Scenario("clusters", 10, True, 0.7, 0.0, "fitted")
    _, width, _ = simulation.coverage(scenario, 40)
    assert width > 0.95  # nothing is known, so nothing is gained

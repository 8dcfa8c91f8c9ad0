"""What training imports, and what it must not."""

import subprocess
import sys

import pytest

FIT = """
import sys
import numpy as np
from lager.train.solvers.layer_weights import fit_layer_weights
from lager.data.scale import Scale
rng = np.random.default_rng(0)
fit_layer_weights(rng.normal(size=(20, 4, 5)), rng.uniform(1, 5, 20), scale=Scale.parse("1-5"))
"""


def imported_by(code: str) -> set[str]:
    script = code + "\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import sys, lager.train", {"numpy", "scipy", "sklearn", "torch"}),
        ("import sys, lager.train.command", {"scipy", "sklearn", "torch", "polars", "matplotlib"}),
        (FIT, {"sklearn", "torch", "transformers", "polars"}),
        ("import sys; from lager.train import LagerAggregator", {"torch", "transformers"}),
    ],
    ids=["package", "command", "fit", "estimator"],
)
def test_heavy_modules_load_only_where_they_are_used(code: str, absent: set[str]) -> None:
    assert not imported_by(code) & absent


def test_public_names_are_found_and_others_are_not() -> None:
    import lager.train

    for name in lager.train.__all__:
        assert getattr(lager.train, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = lager.train.nothing

"""What training imports, and what it must not."""

import subprocess
import sys
from pathlib import Path

import pytest
from lager.train.files.aggregator_file import save_aggregator
from lager.train.strategies.fit import fit_strategy
from support.readouts import simulate

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


APPLY = """
import sys
import numpy as np
from lager.data.cache.readouts import Readouts
from lager.train.files.aggregator_file import load_aggregator
aggregator = load_aggregator(sys.argv[1]).aggregator
logits = np.random.default_rng(0).normal(size=(3, 9, 5))
empty = np.full(3, np.nan)
readouts = Readouts(None, logits, logits, np.ones(3), empty, None, None, aggregator.scale)
assert np.isfinite(aggregator.predict(readouts)).all()
print(*[name for name in sys.modules if name.startswith(("lager.train.solvers", "scipy", "sklearn"))])
"""


@pytest.mark.parametrize("name", ["lager-tuned", "lager-scaled", "ridge", "ordinal", "isotonic:lager", "group-mean"])
def test_scores_are_given_without_any_solver(name: str, tmp_path: Path) -> None:
    save_aggregator(tmp_path / "a.json", fit_strategy(name, simulate(60)))
    command = [sys.executable, "-c", APPLY, str(tmp_path / "a.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_public_names_are_found_and_others_are_not() -> None:
    import lager.train

    for name in lager.train.__all__:
        assert getattr(lager.train, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = lager.train.nothing

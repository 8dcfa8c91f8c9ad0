"""How fast the layer weights are fitted, and against a torch loop of the released code's style.

Run: python benchmarks/timings/train.py [--large]     (--large adds 100,000 items, linearity, and a whole sweep)
"""

from __future__ import annotations

import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from lager.data.cache.readouts import Readouts
from lager.data.scale import Scale
from lager.train.solvers.layer_weights import converged_loss, fit_layer_weights
from lager.train.solvers.mixture_loss import MixtureLoss, label_major
from lager.train.solvers.training_targets import target_distributions
from lager.train.strategies.fit import fit_strategy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.caches import make_cache

Array = NDArray[np.float64]
N_ENTRIES, N_LABELS = 33, 5
SCALE = Scale.parse("1-5")
SWEPT = (
    "e-score", "lager", "lager-tuned", "prob-tuned", "lager-shrunk", "lager-scaled", "lager-rank", "lager-early",
    "best-layer", "ridge", "ordinal", "isotonic",
)  # fmt: skip


def simulate(n: int) -> tuple[NDArray[np.float32], Array]:
    """Make read-outs of a 32-layer judge that knows the quality best around layer 22, and whole scores."""
    rng = np.random.default_rng(0)
    quality = rng.uniform(1, 5, n)
    knowledge = 0.75 * np.exp(-(((np.arange(N_ENTRIES) - 22) / 5) ** 2))
    logits = rng.normal(size=(n, N_ENTRIES, N_LABELS)).astype(np.float32)
    logits -= (knowledge[:, None] * (SCALE.array - quality[:, None, None]) ** 2).astype(np.float32)
    return logits, np.clip(np.round(quality + rng.normal(scale=0.5, size=n)), 1, 5)


def torch_loop(logits: NDArray[np.float32], human: Array) -> Array:
    """Train as the released code does: DataLoader of batch 4, Adam on softmax weights, one epoch, no last entry."""
    import torch
    from torch.nn.functional import cross_entropy, mse_loss

    torch.manual_seed(42)
    rows = [(torch.tensor(x), torch.tensor(int(y))) for x, y in zip(logits, human, strict=True)]
    values = torch.arange(1.0, N_LABELS + 1)
    free = torch.zeros(N_ENTRIES - 1, requires_grad=True)
    alpha = torch.sigmoid(torch.tensor(0.5))
    adam = torch.optim.Adam([free], lr=0.01)
    for x, y in torch.utils.data.DataLoader(rows, batch_size=4, shuffle=True):
        weights = torch.softmax(free, 0)
        mixed = torch.zeros_like(x[:, 0])
        for layer in range(N_ENTRIES - 1):
            mixed = mixed + weights[layer] * x[:, layer]
        score = mixed.softmax(-1) @ values
        loss = alpha * cross_entropy(mixed, y - 1) + (1 - alpha) * mse_loss(score, y.float())
        adam.zero_grad()
        loss.backward()
        adam.step()
    return np.append(torch.softmax(free, 0).detach().numpy().astype(float), 0.0)


def training_loss(weights: Array, logits: NDArray[np.float32], human: Array) -> float:
    """Return the objective of preset converged, the measure for all."""
    targets = target_distributions(human, SCALE.array)
    alpha = 1 / (1 + np.exp(-0.5))
    return MixtureLoss(label_major(logits), targets, human, SCALE.array, 1.0, alpha, "squared")(weights)[0]


def best_of(times: int, work: Callable[[], Array]) -> tuple[float, Array]:
    """Return the shortest wall time in seconds and the result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def preset(name: str, logits: NDArray[np.float32], human: Array) -> Callable[[], Array]:
    """Return the fit of one preset, ready to be timed."""
    return lambda: fit_layer_weights(logits, human, scale=SCALE, preset=name).weights


def main() -> None:
    """Print the table."""
    logits, human = simulate(1000)
    jobs: list[tuple[str, int, Callable[[], Array]]] = [
        ("converged", 5, preset("converged", logits, human)),
        ("release", 3, preset("release", logits, human)),
        ("paper (free weights)", 3, preset("paper", logits, human)),
    ]
    if find_spec("torch"):
        jobs.append(("torch, DataLoader, Adam", 2, lambda: torch_loop(logits, human)))
    jobs[0][2]()  # imports scipy
    print(f"{'1,000 x 33 x 5':26}{'ms':>10}{'x converged':>14}{'loss':>10}")
    print(f"{'uniform weights':26}{'':>24}{training_loss(np.full(N_ENTRIES, 1 / N_ENTRIES), logits, human):>10.4f}")
    base = None
    for name, times, work in jobs:
        seconds, weights = best_of(times, work)
        base = base or seconds
        loss = training_loss(weights, logits, human)
        print(f"{name:26}{1e3 * seconds:>10.1f}{seconds / base:>14.1f}{loss:>10.4f}")
    print_strategies()
    if "--large" in sys.argv[1:]:
        large_logits, large_human = simulate(100_000)
        seconds, _ = best_of(1, preset("converged", large_logits, large_human))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        name = "100,000 x 33 x 5 converged"
        print(f"{name:26}{1e3 * seconds:>10.1f}{seconds / (base or 1):>14.1f}   {peak:.2f} GB peak")
        print_growth()
        print_sweep()
    print_start_up()


def print_strategies() -> None:
    """Time the fit of every strategy on 1,000 items, and scoring 100,000."""
    logits, human = simulate(1000)
    train, many = as_readouts(logits, human), as_readouts(*simulate(100_000))
    print(f"\n{'strategy':26}{'fit ms':>10}{'score 100,000, ms':>20}")
    for name in SWEPT:
        seconds, _ = best_of(2, lambda: np.array(fit_strategy(name, train).n_layers))  # noqa: B023
        fitted = fit_strategy(name, train)
        scoring, _ = best_of(2, lambda: fitted.predict(many))  # noqa: B023
        print(f"{name:26}{1e3 * seconds:>10.1f}{1e3 * scoring:>20.1f}")


def print_growth() -> None:
    """Show that an evaluation's cost grows with items and with layers, and no faster."""
    for what, sizes in (("items", (40_000, 80_000, 160_000)), ("layers", (16, 32, 64))):
        times = []
        for size in sizes:
            n, n_entries = (size, N_ENTRIES) if what == "items" else (40_000, size)
            logits = np.random.default_rng(0).normal(size=(n, n_entries, N_LABELS))
            human = np.random.default_rng(1).uniform(1, 5, n)
            loss = converged_loss(logits, human, scale=SCALE)
            weights = np.full(n_entries, 1 / n_entries)
            times.append(best_of(5, lambda: loss(weights)[1])[0])  # noqa: B023
        shown = ", ".join(f"{size:,}: {1e3 * seconds:.1f} ms" for size, seconds in zip(sizes, times, strict=True))
        print(f"one evaluation by {what:8}{shown}; {times[2] / times[0]:.1f} x the time for 4 x as many")


def print_sweep() -> None:
    """Time a sweep of twelve strategies by five folds over 2,000 items on two workers."""
    from lager.evaluate.sweep.cells import SweepData, plan
    from lager.evaluate.sweep.sweep import _results

    data = as_readouts(*simulate(2000))
    work, _ = plan(SWEPT, n_labelled=2000, folds=5, sizes=[], seeds=0)
    work = [one for one in work if one.protocol == "folds"]
    start = time.perf_counter()
    rows = [row for rows in _results(work, SweepData(data, data, "pooled", "converged", 5, 42), 2) for row in rows]
    seconds = time.perf_counter() - start
    print(f"sweep of {len(SWEPT)} strategies x 5 folds, 2,000 items: {seconds:.1f} s, {len(rows)} rows")


def as_readouts(logits: NDArray[np.float32], human: Array) -> Readouts:
    """Return arrays as read-outs, the normed ones the same."""
    n = len(human)
    ids = np.arange(n).astype(str).astype(object)
    return Readouts(ids, logits, logits, np.ones(n, np.int32), human, None, None, SCALE)


def print_start_up() -> None:
    """Time the command as a process against the imports it cannot do without."""

    def process(code: Callable[[], str]) -> float:
        def run() -> Array:
            done = subprocess.run([sys.executable, "-c", code()], check=False, capture_output=True)
            if done.returncode:
                sys.exit(done.stderr.decode())
            return np.array(0)

        return best_of(7, run)[0]

    least = process(lambda: "import numpy, scipy.optimize, h5py")
    with tempfile.TemporaryDirectory() as folder:
        cache = make_cache(Path(folder) / "cache", 1000)
        command = ["from lager.cli import main", f"main(['train', {str(cache.path)!r}, '--out', '{folder}/%d.json'])"]
        numbers = itertools.count()
        ours = process(lambda: "; ".join(command) % next(numbers))
    print(f"lager train, 1,000 items, a process: {1e3 * ours:.0f} ms, imports {1e3 * least:.0f}: {ours / least:.1f} x")


if __name__ == "__main__":
    main()

"""How fast the layer weights are fitted, and against a torch loop of the released code's style.

Run: python benchmarks/train.py [--large]     (one process; --large adds 100,000 items)
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from lager.data.scale import Scale
from lager.train.layer_weights import fit_layer_weights
from lager.train.objective import MixtureLoss, label_major
from lager.train.targets import soft_targets
from numpy.typing import NDArray

Array = NDArray[np.float64]
N_ENTRIES, N_LABELS = 33, 5
SCALE = Scale.parse("1-5")


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
    targets = soft_targets(human, SCALE.array)
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
    if "--large" in sys.argv[1:]:
        large_logits, large_human = simulate(100_000)
        seconds, _ = best_of(1, preset("converged", large_logits, large_human))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        name = "100,000 x 33 x 5 converged"
        print(f"{name:26}{1e3 * seconds:>10.1f}{seconds / (base or 1):>14.1f}   {peak:.2f} GB peak")
    print_start_up()


def print_start_up() -> None:
    """Time the command's imports as a process against those of the libraries it cannot do without."""

    def process(code: str) -> float:
        return best_of(5, lambda: np.array(subprocess.run([sys.executable, "-c", code], check=True).returncode))[0]

    least = process("import numpy, scipy.optimize, h5py")
    ours = process("import lager.train.command, lager.train.training_run, lager.data.cache, scipy.optimize")
    print(f"start-up: {1e3 * ours:.0f} ms with lager's modules, {1e3 * least:.0f} ms without: {ours / least:.1f} x")


if __name__ == "__main__":
    main()

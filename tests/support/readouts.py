"""Simulated read-outs, and the released code's result files as arrays."""

import gzip
import json
from pathlib import Path

import numpy as np
from lager.data.cache.readouts import Readouts
from lager.data.scale import Scale

SCALE = Scale.parse("1-5")


# Our strategies by the names that the released code prints.
RELEASED_NAMES = {
    "vscore": "direct_score",
    "e-score": "e_score",
    "lager": "lager_wo",
    "lager-tuned": "lager_w",
    "lager-max": "logits_agg_max_score",
    "lager-tuned-max": "logits_agg_weighted_max_score",
    "prob": "prob_agg_e_score",
    "prob-max": "prob_agg_max_score",
    "prob-tuned": "prob_weighted_agg_e_score",
    "prob-tuned-max": "prob_weighted_agg_max_score",
}


def simulate(
    n: int = 200, *, n_layers: int = 8, scale: Scale = SCALE, informative: tuple[int, ...] = (5, 6), seed: int = 0
) -> Readouts:
    """Items whose quality shows in some layers only; human scores are means of three raters."""
    rng = np.random.default_rng(seed)
    values = scale.array
    step = (scale.high - scale.low) / 4
    quality = rng.uniform(scale.low, scale.high, n)
    logits = rng.normal(size=(n, n_layers + 1, len(scale))) + rng.normal(scale=0.5, size=(n_layers + 1, len(scale)))
    for layer in informative:
        logits[:, layer] -= 0.8 * ((values - quality[:, None]) / step) ** 2
    ratings = quality[:, None] + rng.normal(scale=0.6 * step, size=(n, 3))
    nearest = values[np.abs(ratings[:, :, None] - values).argmin(axis=2)]
    normed = np.full_like(logits, np.nan)
    normed[:, -1] = logits[:, -1] * 1.5
    return Readouts(
        item_id=np.array([f"item{i}" for i in range(n)], dtype=object),
        logits=logits.astype(np.float32),
        logits_normed=normed.astype(np.float32),
        n_tokens=rng.integers(20, 200, n).astype(np.int32),
        human=nearest.mean(axis=1),
        group=np.array([f"criterion{i % 2}" for i in range(n)], dtype=object),
        cluster=np.array([f"text{i // 4}" for i in range(n)], dtype=object),
        scale=scale,
        hidden=hidden_states(quality, n_layers, informative, rng),
    )


def hidden_states(
    quality: np.ndarray, n_layers: int, informative: tuple[int, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Hidden states of two poolings; one direction of the informative layers, the same in every draw, shows quality."""
    direction = np.random.default_rng(99).normal(size=12)
    out = {}
    for pooling, strength in (("last", 1.0), ("mean", 0.3)):
        states = rng.normal(size=(len(quality), n_layers + 1, 12))
        for layer in informative:
            states[:, layer] += strength * quality[:, None] * direction
        out[pooling] = states.astype(np.float32)
    return out


def from_arrays(logits: np.ndarray, human: np.ndarray, *, scale: Scale = SCALE) -> Readouts:
    """Read-outs without groups; the normed last entry is the raw one."""
    n = len(human)
    normed = np.full_like(logits, np.nan)
    normed[:, -1] = logits[:, -1]
    return Readouts(
        item_id=np.array([str(i) for i in range(n)], dtype=object),
        logits=logits,
        logits_normed=normed,
        n_tokens=np.arange(1, n + 1, dtype=np.int32),
        human=np.asarray(human, dtype=np.float64),
        group=None,
        cluster=None,
        scale=scale,
    )


def released_results(path: Path) -> Readouts:
    """The valid items of a result file in the released code's JSON."""
    with gzip.open(path) as file:
        records = [record for record in json.load(file) if record["direct_socre"] != -1]
    by_layer = [record["df"]["logits"] for record in records]
    logits = np.array([[item[str(entry)] for entry in range(len(item))] for item in by_layer], dtype=np.float32)
    return from_arrays(logits, np.array([record["human_score"] for record in records]))

"""Make the bundled demo: a tiny judge and its judging items, both from one seed.

    python -m lager.benchmarks.demo.make_demo --out DIR

The items need neither torch nor the judge; the judge is trained on one CPU thread.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from lager.data.errors import LagerError
from lager.data.files.writing import refuse_existing, write_json
from lager.data.templates.template import load_template
from numpy.typing import NDArray

from .items import heldout_items, training_items, write_jsonl

_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "jinja2")


def make_demo(
    *,
    out: Annotated[Path, typer.Option(help="New folder for the judge and the items.")],
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps; fewer make a worse judge.")] = None,
) -> None:
    """Make the demo's judge and items from scratch.

    Example: python -m lager.benchmarks.demo.make_demo --out demo
    """
    import torch

    from .judge import Recipe, new_judge, train_judge, train_tokenizer

    refuse_existing(out, what="folder")
    recipe = Recipe() if steps is None else replace(Recipe(), steps=steps)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are taken in another order on more threads, and the weights would differ
    try:
        started = time.monotonic()
        items = write_items(out, seed=seed)
        tokenizer = train_tokenizer(seed, n_pieces=recipe.n_pieces)
        model = new_judge(recipe, vocabulary=len(tokenizer), seed=seed)
        n_weights = sum(weight.numel() for weight in model.parameters())
        _say(f"{len(tokenizer)} pieces, {n_weights} weights, {recipe.steps} steps")
        train_judge(model, tokenizer, recipe, seed=seed, report=_say)
        model.save_pretrained(out / "judge")
        tokenizer.save_pretrained(out / "judge")
        (out / "judge" / "model.safetensors").chmod(0o644)  # safetensors leaves it readable by its owner only
        template = hashlib.sha256(load_template("direct").text.encode()).hexdigest()
        made = {"seed": seed, "judge": asdict(recipe), "template_sha256": template, "made_with": _environment()}
        write_json(out / "recipe.json", made, indent=2)
        _say(f"made in {time.monotonic() - started:.0f} s; now reading every layer of it")
        for name, rows in items.items():
            _print_agreement(name, rows, model, tokenizer)
    finally:
        torch.set_num_threads(threads)
    size = sum(path.stat().st_size for path in (out / "judge").iterdir())
    print(
        f"{out}: judge {size / 1e6:.2f} MB, " + ", ".join(f"{len(rows)} {name} items" for name, rows in items.items())
    )


def write_items(out: Path, *, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Write train.jsonl and test.jsonl into `out` and return their rows."""
    items = {"train": training_items(seed), "test": heldout_items(seed)}
    for name, rows in items.items():
        write_jsonl(out / f"{name}.jsonl", rows)
    return items


def _environment() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}


def _print_agreement(name: str, rows: list[dict[str, Any]], model: Any, tokenizer: Any) -> None:
    """Print Spearman's correlation with the raters' mean, by criterion, their mean, and pooled."""
    from .judge import SCALE, prompt_ids, read_layers

    logits = read_layers(model, tokenizer, rows).numpy().astype(np.float64)
    scores = {f"layer:{layer}": _expect(logits[:, layer], SCALE.array) for layer in range(1, logits.shape[1])}
    scores["e-score"] = scores.pop(f"layer:{logits.shape[1] - 1}")
    scores["lager"] = _expect(logits.mean(axis=1), SCALE.array)
    scores["length"] = np.array([len(ids) for ids in prompt_ids(tokenizer, rows)], dtype=np.float64)
    human = np.array([np.mean(row["score"]) for row in rows])
    group = np.array([row["group"] for row in rows])
    criteria = sorted(set(group.tolist()))
    print(f"\n{name}: Spearman  " + "  ".join([*criteria, "mean", "pooled"]))
    for strategy, score in scores.items():
        within = [_spearman(score[group == one], human[group == one]) for one in criteria]
        figures = [*within, float(np.mean(within)), _spearman(score, human)]
        print(f"{strategy:>16}  " + "  ".join(f"{figure:+.3f}" for figure in figures))


def _expect(logits: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expectation under the softmax over the last axis."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    expectation: NDArray[np.float64] = odds @ values / odds.sum(axis=-1)
    return expectation


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        typer.run(make_demo)
    except LagerError as error:
        sys.exit(f"error: {error}")

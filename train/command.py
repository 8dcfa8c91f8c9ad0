"""The command `lager train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..data.files.canonical import canonical_json
from ..data.files.writing import refuse_existing
from ..data.safe_text import printable, scrubbed
from .aggregator.aggregator import Aggregator
from .aggregator.presets import check_preset
from .files.aggregator_file import save_aggregator
from .strategies.registry import lookup
from .training_run import TrainingRun, train_on_cache

_BARS = " ▁▂▃▄▅▆▇█"
_LARGEST = 3


def train(
    cache: Annotated[
        Path, typer.Argument(metavar="CACHE", help="Feature cache with human scores.", show_default=False)
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="Where the aggregator goes (JSON); must not exist.")],
    strategy: Annotated[str, typer.Option(help="What to fit.")] = "lager-tuned",
    preset: Annotated[str, typer.Option(help="converged, paper, or release (the authors' code).")] = "converged",
    scores: Annotated[Path | None, typer.Option(help="Human scores from a file (id, score), joined by id.")] = None,
    raters: Annotated[
        str | None, typer.Option(help="Columns of --scores, with commas, each one rater's scores; blanks allowed.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Train on N items at most, whole clusters drawn by the seed.")
    ] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of items, by cluster, to hold out and score.")] = None,
    level: Annotated[
        str | None, typer.Option(help="Agreement to fit for: pooled or group (the default with groups).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of draws, holdout and batches.")] = 42,
    check: Annotated[
        bool, typer.Option(help="Compare with baselines on clusters left out: three fits more, of 2,000 items at most.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Learn how to weigh the layers from a feature cache with human scores.

    Example: lager train cache/flask --out flask.json --holdout 0.2
    """
    lookup(strategy)
    check_preset(preset)
    refuse_existing(out, what="aggregator file")
    from ..data.items.raters import parse_raters

    columns = parse_raters(raters, scores=scores)
    from ..data.cache.feature_cache import FeatureCache

    opened = FeatureCache.open(cache)
    if scores is not None:
        opened = opened.with_scores(scores, raters=columns)
    typer.echo(f"fitting {strategy} ({preset}) on {scrubbed(str(cache))}", err=True)
    if opened.is_large and limit is None:
        typer.echo(f"its {len(opened):,} items stay on disk: each step of a fit is a pass over them", err=True)
    run = train_on_cache(opened, strategy=strategy, preset=preset, limit=limit, holdout=holdout, level=level,
                         seed=seed, check=check)  # fmt: skip
    save_aggregator(out, run.record)
    for note in run.notes:
        typer.echo(f"note: {printable(note)}", err=True)
    for note in [] if run.left_out is None else run.left_out.notes:
        typer.echo(f"note: {strategy} is {printable(note)}", err=True)
    typer.echo(canonical_json(as_dict(run, out)) if as_json else describe(run, out))


def as_dict(run: TrainingRun, out: Path) -> dict[str, Any]:
    """Return what `--json` prints."""
    aggregator = run.record.aggregator
    held_out = run.held_out
    return {
        "strategy": aggregator.strategy,
        "preset": aggregator.preset,
        "n": aggregator.training.get("n", 0),
        "loss": aggregator.training.get("loss"),
        "loss_uniform": aggregator.training.get("loss_uniform"),
        "weights": None if aggregator.weights is None else list(aggregator.weights),
        "parameters": dict(aggregator.parameters),
        "holdout": None if held_out is None else held_out._asdict(),
        "left_out": None if run.left_out is None else run.left_out._asdict(),
        "notes": run.notes,
        "out": str(out),
    }


def describe(run: TrainingRun, out: Path) -> str:
    """Return what was learnt as a few lines of text."""
    aggregator = run.record.aggregator
    training = aggregator.training
    lines = [f"{aggregator.strategy} ({aggregator.preset})"]
    lines.append(
        f"  items     {training['n']}" if "n" in training else "  items     none: this strategy needs no training"
    )
    if "loss" in training:
        lines.append(f"  loss      {training['loss']:.4f} (uniform weights: {training['loss_uniform']:.4f})")
    if aggregator.weights is not None:
        lines.append(f"  weights   {weights_line(aggregator)}")
    told = aggregator.definition.told(aggregator.parameters)
    lines += [f"  {title:<9} {value}" for title, value in told.items()]
    if run.held_out is not None:
        values = ", ".join(
            f"{name} {'undefined' if value is None else f'{value:.3f}'}"
            for name, value in run.held_out.spearman.items()
        )
        lines.append(f"  held out  {run.held_out.n} items, Spearman ({run.held_out.level}): {values}")
    if run.left_out is not None:
        found = run.left_out
        mae = "" if found.mae is None else f"; MAE {found.mae:.3f} (mean {found.mean_mae:.3f})"
        lines.append(
            f"  left out  {found.n} items in {found.n_clusters} clusters, Spearman {found.spearman:.3f} (length "
            f"{found.length_spearman:.3f}, mean {found.mean_spearman:.3f}){mae}"
        )
    lines.append(f"  written   {out}")
    return "\n".join(lines)


def weights_line(aggregator: Aggregator) -> str:
    """Return the weights as one bar per layer entry, 0 to L, and the largest ones as numbers."""
    weights = aggregator.weights or ()
    top = max(abs(w) for w in weights)
    bars = "".join(_BARS[round(max(w, 0.0) / top * (len(_BARS) - 1))] for w in weights)
    largest = sorted(range(len(weights)), key=lambda entry: -abs(weights[entry]))[:_LARGEST]
    numbers = ", ".join(f"{entry}: {weights[entry]:.3f}" for entry in largest if weights[entry])
    return f"|{bars}| layers 0 to {len(weights) - 1}; largest {numbers}"

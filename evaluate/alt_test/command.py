"""The command `lager alt-test`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...data.files.out_folder import filling
from ...data.files.writing import write_json
from ...data.items.raters import parse_raters
from ...data.progress import Progress
from ..options import AggregatorFiles, FiguresAsJson, Force, Raters, Raw
from ..output import show, tell, write_csv, write_text

RESULTS_JSON, RESULTS_MD, RATERS_CSV, STRATA_CSV = "alt-test.json", "alt-test.md", "raters.csv", "uncertainty.csv"
NAMES = (RESULTS_JSON, RESULTS_MD, RATERS_CSV, STRATA_CSV)
_RATER_COLUMNS = ("judge", "epsilon", "rater", "n", "n_clusters", "judge_wins", "rater_wins", "p", "p_by", "won")
_STRATUM_COLUMNS = (
    "judge", "least", "most", "n", "metric", "level", "figure", "estimate", "low", "high", "reason",
)  # fmt: skip
EXITS = {"PASS": 0, "FAIL": 3, "INCONCLUSIVE": 4}


def alt_test(
    cache: Annotated[
        Path | None, typer.Argument(help="Feature cache with raters' scores; none for files of scores alone.")
    ] = None,
    *,
    epsilon: Annotated[
        float, typer.Option(help="How much more often a rater may be nearer: 0.2 experts, 0.15 trained, 0.1 a crowd.")
    ],
    scores: Annotated[
        Path | None, typer.Option(help="Human scores: id, rater, score; or id and --raters; or id and lists.")
    ] = None,
    raters: Raters = None,
    places_are_raters: Annotated[
        bool, typer.Option("--places-are-raters", help="Lists without names: each place is one person's throughout.")
    ] = False,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", help="Strategy of CACHE; may be given again. (default: e-score, lager, lager-tuned, ridge)"
        ),
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Folds, of whole clusters, to fit by. (default: 5)")] = None,
    aggregator: AggregatorFiles = None,
    external: Annotated[
        list[str] | None,
        typer.Option("--external", metavar="FILE:COLUMN", help="Another judge's scores; may be given again."),
    ] = None,
    alignment: Annotated[str, typer.Option(help="neg-rmse or accuracy")] = "neg-rmse",
    q: Annotated[float, typer.Option("--q", help="False discovery rate over raters.")] = 0.05,
    ignore_clusters: Annotated[
        bool, typer.Option("--ignore-clusters", help="The published t test, of items by themselves.")
    ] = False,
    margin: Annotated[
        float | None, typer.Option(help="Verdict: is the judge's agreement no less than a rater's by so much?")
    ] = None,
    metric: Annotated[str, typer.Option(help="Of that: spearman, pearson, kendall, mae or rmse.")] = "spearman",
    level: Annotated[str | None, typer.Option(help="Of that: group or pooled. (default: group where declared)")] = None,
    by: Annotated[str | None, typer.Option(help="Group by these columns, with commas, not by the group.")] = None,
    scale: Annotated[str | None, typer.Option(help="Score scale, without CACHE only: 1-5, A=4,B=3, ...")] = None,
    seed: Annotated[int, typer.Option(help="Seed of folds, fits and parts.")] = 42,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the figures, of each rater too.")] = None,
    force: Force = False,
    raw: Raw = False,
    as_json: FiguresAsJson = False,
) -> None:
    """Say whether a judge may replace a rater, by the alternative annotator test, and beside one more rater.

    With --margin it ends with 0 where every judge passes, 3 where one fails, else 4.

    Example: lager alt-test --scores raters.csv --external gpt.csv:rating --epsilon 0.2 --margin 0.05
    """
    from ..agreement.grouping import parse_by
    from ..decisions.judged_items import read_judged_items
    from ..tables.markdown import markdown
    from .judge_notes import refuse_own_raters
    from .judges import Wanted, beside_raters
    from .tables import judges_table, uncertainty_table

    wanted = Wanted(epsilon, alignment, q, margin, metric, level, ignore_clusters, places_are_raters, seed=seed)
    columns = parse_raters(raters, scores=scores)
    refuse_own_raters(scores, columns, external or ())
    grouped = () if by is None else parse_by(by)
    with filling(out, NAMES):
        with Progress(1.0, what="scoring", unit="share") as bar:
            items = read_judged_items(
                cache, strategies=strategy or (), folds=folds, aggregators=aggregator or (), external=external or (),
                scores=scores, raters=columns, scale=scale, by=grouped, seed=seed, force=force, progress=bar.tell,
            )  # fmt: skip
        found = beside_raters(items, wanted)
        tables = (judges_table, uncertainty_table)
        for table in tables[:1] if as_json else tables:
            show(found.as_json, partial(table, found), as_json=as_json)
        written = []
        if out is not None:
            written = [out / name for name in NAMES]
            write_json(written[0], found.as_json(), indent=1)
            write_text(written[1], "\n\n".join(markdown(table(found)) for table in tables))
            write_csv(written[2], found.rater_rows(), _RATER_COLUMNS, raw=raw)
            write_csv(written[3], found.stratum_rows(), _STRATUM_COLUMNS, raw=raw)
        tell(notes=found.notes, written=written)
    if found.verdict is not None and EXITS[found.verdict]:
        raise typer.Exit(EXITS[found.verdict])

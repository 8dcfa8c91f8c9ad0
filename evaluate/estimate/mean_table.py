"""Estimated means as one table, for terminal, Markdown and report."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ..tables.table import NONE, Cell, Column, Row, Table, count, decimal, interval, name, number, percent
from .mean_estimates import MeanEstimate, MeanEstimates


def mean_table(found: MeanEstimates, *, judges: int = 1, caption: str | None = None) -> Table:
    """Return a row for each system: labels alone, the estimate, its ranks, and what some judges say uncorrected."""
    ranks = {one.system: f"{one.best}" if one.best == one.worst else f"{one.best}-{one.worst}" for one in found.ranks}
    shown = list(found.means[0].judge_means)[:judges]
    what = "mean" if found.at_least is None else f"share >= {found.at_least:g}"
    corrected = {one.name: one for one in found.rogan_gladen}
    columns = (
        Column("", "name"),
        Column(f"{what}\nestimated"),
        Column("labels\nalone"),
        *((Column("Rogan-\nGladen"),) if corrected else ()),
        *((Column("ranks", "aside"),) if ranks else ()),
        *(Column(f"{one}\nalone", "aside", hidden=("narrow terminal",)) for one in shown),
        Column("labels", "count"),
        Column("clusters", "count"),
        Column("items", "count"),
    )
    rows: list[Row] = []
    ordered = sorted(found.means, key=_highest_first) if ranks else found.means
    for one in ordered:
        cells = [name(one.name), _estimate(one), interval(one.labelled_mean, one.labelled_low, one.labelled_high)]
        if corrected:
            other = corrected[one.name]
            cells.append(interval(other.share, other.low, other.high, reason=other.reason or ""))
        if ranks:
            cells.append(Cell(ranks.get(one.name, NONE)))
        cells += [number(one.judge_means[judge]) for judge in shown]
        rows.append((*cells, count(one.n_labelled), count(one.n_clusters), count(one.n_items)))
    return Table(
        columns=columns,
        rows=tuple(rows),
        caption=caption or ("Means from few labels" if found.at_least is None else "Shares from few labels"),
        headline=(_headline(found),),
        notes=tuple(_notes(found)),
    )


def _highest_first(one: MeanEstimate) -> tuple[bool, float]:
    return one.mean is None, -(one.mean or 0.0)


def _estimate(one: MeanEstimate) -> Cell:
    return interval(one.mean, one.low, one.high, reason=one.reason or "")


def _headline(found: MeanEstimates) -> str:
    labels, items = sum(one.n_labelled for one in found.means), sum(one.n_items for one in found.means)
    said = f"{labels} of {items} items have human scores"
    if found.weight is not None and (width := found.width()) is not None:
        said += f"; the judge counts {found.weight:.2f}, and intervals are {percent(width).text} as wide as without it"
    return said


def _notes(found: MeanEstimates) -> list[str]:
    """Return what the figures are, and what they rest on."""
    notes = [f"[low, high]: {found.level:.0%} over clusters"]
    if found.ranks:
        notes.append(f"ranks: all sets of ranks at once hold the systems' ranks at {found.level:.0%}")
        if len(found.ranks) < len(found.means):
            notes.append(f"ranks are among the {len(found.ranks)} of {len(found.means)} systems that can be compared")
    clear = [one for one in found.differences if one.p_holm <= 1 - found.level]
    if found.differences:
        notes.append(f"{len(clear)} of {len(found.differences)} differences are clear after Holm's correction")
        z = ndtri((1 + found.level) / 2)
        distance = (1 + ndtri(0.8) / z) * float(np.median([(one.high - one.low) / 2 for one in found.differences]))
        notes.append(f"two systems that are {decimal(distance, 2)} apart are told apart with a chance of 80%")
    if found.orders:
        shown, share = " > ".join(found.orders[0].order), found.orders[0].share
        at_all = f"bootstrap share of the order {shown}: {share:.0%}"
        notes.append(at_all if share >= 0.01 else "bootstrap share of every order of all: below 1%")
    if found.mixture:
        parts = ", ".join(f"{judge} {decimal(part, 2)}" for judge, part in found.mixture.items())
        notes.append(f"judges mixed, points a standard deviation: {parts}")
    notes.append(f"{found.outside:.1%} of the judge's scores lie outside the range of the human scores")
    if found.random_p is not None:
        notes.append(f"labels drawn at random: p = {found.random_p:.2g}")
    return notes + [f"{one.name}: {one.reason}" for one in found.means if one.reason]

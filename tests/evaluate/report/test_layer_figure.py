"""The figures over layers: labels that can be read, files that open, and SVG that fits a page."""

import itertools
import math

import pytest
from lager.evaluate.report.drawing import drawing, inline, save, spread_labels
from lager.evaluate.report.layer_figure import draw_depth, draw_layers


def test_labels_that_would_overlap_are_moved_apart_in_order():
    places = [0.50, 0.51, 0.505, 0.9]
    moved = spread_labels(places, gap=0.05)
    order = sorted(range(4), key=places.__getitem__)
    assert sorted(range(4), key=moved.__getitem__) == order
    gaps = [moved[b] - moved[a] for a, b in itertools.pairwise(order)]
    assert min(gaps) >= 0.05 - 1e-12
    assert math.isclose(sum(moved[:3]), sum(places[:3]))


def test_labels_far_apart_stay_where_they_are():
    assert spread_labels([0.1, 0.9, 0.5], gap=0.05) == [0.1, 0.9, 0.5]


def test_labels_pushed_into_a_neighbour_push_it_too():
    moved = sorted(spread_labels([0.50, 0.50, 0.53], gap=0.05))
    assert moved[1] - moved[0] == pytest.approx(0.05)
    assert moved[2] - moved[1] == pytest.approx(0.05)


@pytest.mark.parametrize("curve", [[None, 0.2, -0.1], [None, None], [0.3]])
def test_undefined_layers_and_missing_strategies_still_give_a_figure(tmp_path, curve):
    with drawing():
        for drawn in (
            draw_layers(curve, {"lager": 0.3, "e-score": None}, metric="Spearman"),
            draw_depth(curve, {"lager": None}, metric="Spearman"),
        ):
            png, svg = save(drawn, tmp_path)
            assert png.read_bytes().startswith(b"\x89PNG")
            assert "<svg" in svg.read_text()
            assert "undefined at every entry" in drawn.alt or "at " in drawn.alt


def test_every_strategy_is_a_line_with_its_name_even_one_that_looks_like_markup():
    names = {"lager": 0.3, "a_$b$": 0.2, "gpt & co <x>": 0.1, **{f"other{i}": i / 10 for i in range(5)}}
    with drawing():
        text = inline(draw_layers([0.1, 0.2], names, metric="Spearman"))
    for name in ("lager 0.300", "a_$b$ 0.200", "gpt &amp; co &lt;x&gt; 0.100", "other4 0.400"):
        assert name in text


def test_an_inline_figure_takes_the_colours_of_the_page_and_says_what_it_shows():
    with drawing():
        text = inline(draw_layers([0.1, 0.2], {"lager": 0.3}, metric="Spearman"))
    head = text[: text.index(">")]
    assert 'role="img"' in head
    assert "Best single entry: 1" in head
    assert "var(--ink)" in text
    assert "var(--series-0)" in text
    assert "#222222" not in text
    assert 'id="layers-' in text
    assert "<?xml" not in text

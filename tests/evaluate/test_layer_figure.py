"""The per-layer figure: labels that can be read, and a file that opens."""

import itertools
import math

import pytest
from lager.evaluate.layer_figure import draw_layer_figure, spread_labels


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
def test_undefined_layers_and_missing_references_still_give_a_figure(tmp_path, curve):
    path = tmp_path / "layers.png"
    draw_layer_figure(path, curve, {"lager": 0.3, "e-score": None}, ylabel="Spearman, pooled", title="t")
    assert path.read_bytes().startswith(b"\x89PNG")

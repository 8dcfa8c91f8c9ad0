"""The report in a real browser: silent, offline, sized, sortable."""

import pytest
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.report.outputs import write_outputs
from support import chromium
from support.caches import make_cache

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.find() is None, reason="chromium is not installed"),
]
_ORDER = "[...document.querySelectorAll('table.sortable')[0].tBodies[0].rows].map(row => row.cells[{}].dataset.sort)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium.Page(tmp_path_factory.mktemp("chromium") / "profile") as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    cache = make_cache(folder / "c", 80, seed=1, texts=["<img src=http://127.0.0.1:9/x onerror=console.error(1)>"] * 80)
    write_outputs(evaluate_cache(cache, folds=3, baseline="e-score", resamples=300), folder / "out")
    return folder / "out" / "report.html"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_logged_nothing_leaves_and_nothing_is_wider_than_the_page(page, report, width, dark):
    page.open(report, width=width, dark=dark)
    for details in range(page.run("document.querySelectorAll('details').length")):
        page.run(f"document.querySelectorAll('details')[{details}].open = true")
    assert page.logged == []
    assert page.requests == [report.as_uri()]
    assert page.run("document.documentElement.scrollWidth") <= width
    background = page.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") != dark


@pytest.mark.parametrize("width", [1280, 390])
def test_every_figure_has_size_and_a_name(page, report, width):
    page.open(report, width=width)
    sizes = page.run(
        "[...document.querySelectorAll('figure svg')].map(one => { const box = one.getBoundingClientRect();"
        "return [box.width, box.height, one.getAttribute('aria-label').length]})"
    )
    assert len(sizes) == 7
    assert all(width > 300 and height > 150 and text > 20 for width, height, text in sizes)


def test_the_table_sorts_both_ways_with_missing_figures_last(page, report):
    page.open(report, width=1280)
    names = page.run(_ORDER.format(0))
    click = "document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells[{}].querySelector('button').click()"
    page.run(click.format(1))
    down = page.run(_ORDER.format(1))
    numbers = [float(one) for one in down if one is not None]
    assert numbers == sorted(numbers, reverse=True)
    assert None not in down[: len(numbers)]
    page.run(click.format(1))
    up = [float(one) for one in page.run(_ORDER.format(1)) if one is not None]
    assert up == sorted(numbers)
    assert page.run("document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    page.run(click.format(0))
    assert page.run(_ORDER.format(0)) == sorted(names)
    assert page.logged == []

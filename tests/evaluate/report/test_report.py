"""Markdown, LaTeX and the report: complete, escaped, and self-contained."""

import re

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.file_evaluation import evaluate_score_files
from lager.evaluate.evaluation.layer_curve import depth_curve
from lager.evaluate.report.drawing import drawing, inline
from lager.evaluate.report.learning_figure import LearningPoint, draw_learning, read_learning_points
from lager.evaluate.report.outputs import write_outputs
from lager.evaluate.report.result_table import result_table
from lager.evaluate.report.score_figures import calibration_points
from lager.evaluate.tables.latex import escape_latex, latex
from lager.evaluate.tables.markdown import escape_markdown, markdown
from support.caches import make_cache

NASTY = "<script>alert('x')</script> & $x_1$ | *y*"
FIGURES = ("layers", "depth", "weights", "scores", "calibration", "abstention", "groups")


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """With text kept, learned weights, a baseline, and another judge of an awkward name."""
    folder = tmp_path_factory.mktemp("report")
    texts = [f"{NASTY} {i}" for i in range(80)]
    cache = make_cache(folder / "test", 80, seed=1, texts=texts, clusters=20, raters=("anna", "ben", NASTY))
    judge = folder / "judge.csv"
    judge.write_text("id,a_b & <c>\n" + "".join(f"item{i},{1 + i % 5}\n" for i in range(80)))
    return evaluate_cache(cache, folds=3, external=[f"{judge}:a_b & <c>"], baseline="e-score", resamples=300)


@pytest.fixture(scope="module")
def out(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    written, missing = write_outputs(evaluation, folder)
    assert missing == []
    assert [path.name for path in written][-2:] == ["report.html", "figures"]
    return folder


def test_every_figure_is_saved_as_png_and_svg_and_stands_in_the_report_with_a_text(out):
    page = (out / "report.html").read_text()
    assert sorted(path.name for path in (out / "figures").iterdir()) == sorted(
        f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")
    )
    for name in FIGURES:
        assert f'id="figure-{name}"' in page
    assert page.count('role="img" aria-label="') == len(FIGURES)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_it_says_which_items_the_judges_may_decide_alone(out):
    page = (out / "report.html").read_text()
    asked = "an error of 1 or more in at most 10% of the items decided alone, with confidence 90%"
    table = page.split(f"<summary>Which items the judge may decide alone: {asked}</summary>")[1].split("</table>")[0]
    assert "INCONCLUSIVE" in table or "FOUND" in table
    assert table.count("<tr>") > 2
    assert "lager-tuned" in table


def test_it_opens_with_what_to_take_away(out):
    page = (out / "report.html").read_text()
    opening = page.split('<p class="opening">')[1].split("</p>")[0]
    assert "agrees with people at Spearman" in opening
    assert "the baseline e-score" in opening
    assert "one more rater" in opening or "may be none" in opening


def test_it_sets_the_judges_beside_one_more_rater(out):
    page = (out / "report.html").read_text()
    table = page.split("<summary>Beside one more rater:")[1].split("</table>")[0]
    assert table.count("<tr>") > 2
    assert "omega at 0.15" in table
    assert "<summary>Agreement by human uncertainty</summary>" in page


def test_the_report_loads_nothing(out):
    page = (out / "report.html").read_text()
    assert "default-src 'none'" in page
    assert not re.search(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(?!data:)', page)
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


def test_names_and_texts_are_escaped_everywhere(out):
    page = (out / "report.html").read_text()
    assert "alert('x')" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)" in page
    assert "a_b &amp; &lt;c&gt;" in page
    assert r"a\_b \& \<c\>" in (out / "results.md").read_text()
    assert r"a\_b \& \textless{}c\textgreater{}" in (out / "results.tex").read_text()


def test_what_was_run_and_every_figure_of_the_table_is_in_the_report(evaluation, out):
    page = (out / "report.html").read_text()
    for text in ("tiny", evaluation.cache.fingerprint, "80 of 80 labelled (100.0%)", "Against what humans reach"):
        assert text in page
    for strategy in evaluation.agreement.strategies:
        value = strategy.metrics["spearman"].estimate
        assert value is None or f'data-sort="{value}"' in page
    assert "Differences to e-score" in page


def test_the_worst_items_are_those_of_the_largest_difference(evaluation, out):
    page = (out / "report.html").read_text()
    name = re.search(r'id="worst">Where (\S+) and the humans', page)[1]
    scores = next(one.scores for one in evaluation.scored if one.name == name)
    worst = evaluation.items["item_id"][int(np.abs(scores - evaluation.human).argmax())]
    listed = re.findall(r'<td data-sort="(item\d+)">', page)
    assert listed[0] == worst
    assert len(listed) == 10


def test_without_kept_text_no_prompt_is_in_any_file(tmp_path):
    cache = make_cache(tmp_path / "c", 30, seed=1)
    write_outputs(evaluate_cache(cache, ["lager"], resamples=0), tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert "text was not kept" in page
    for path in (tmp_path / "out").glob("*.*"):
        assert "prompt 3" not in path.read_text()


def test_score_files_alone_have_a_report_without_layers(tmp_path):
    (tmp_path / "h.csv").write_text("id,score\n" + "".join(f"{i},{1 + i % 5}\n" for i in range(20)))
    (tmp_path / "j.csv").write_text("id,judge\n" + "".join(f"{i},{1 + i % 4}\n" for i in range(20)))
    evaluation = evaluate_score_files(tmp_path / "h.csv", [f"{tmp_path}/j.csv:judge"], resamples=0)
    write_outputs(evaluation, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/figures").glob("*.svg")) == ["calibration.svg", "scores.svg"]


def test_latex_is_a_booktabs_table_with_balanced_columns(evaluation):
    lines = latex(result_table(evaluation)).splitlines()
    (begin,) = (line for line in lines if line.startswith(r"\begin{tabular}"))
    rows = [line for line in lines if line.endswith(r"\\")]
    assert begin == r"\begin{tabular}{lrrrr}"
    assert len(rows) == len(evaluation.agreement.strategies) + 2
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == 4
    assert {r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"} <= set(lines)
    assert any(r"\textbf{" in row for row in rows)


def test_markdown_has_as_many_cells_in_every_row(evaluation):
    rows = [line for line in markdown(result_table(evaluation)).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert len(rows) == len(evaluation.agreement.strategies) + 3


def test_escapes_hold_every_special_character():
    assert escape_latex("\\&%$#_{}~^") == (r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}")
    assert escape_markdown("a|b*c\nd") == r"a\|b\*c d"


def test_the_full_depth_is_the_untrained_mean_of_all_layers(evaluation):
    curve = depth_curve(evaluation.cache, level="group", group=evaluation.group)
    assert curve[-1] == pytest.approx(evaluation.agreement["lager"].metrics["spearman"].estimate, abs=1e-12)
    assert len(curve) == evaluation.cache.n_layers + 1


def test_calibration_points_have_equal_mass_and_the_bins_of_the_metric(evaluation):
    scores = next(one.scores for one in evaluation.scored if one.name == "lager")
    predicted, found = calibration_points(evaluation.human, scores)
    assert len(predicted) == 10
    error = evaluation.agreement["lager"].pooled["calibration_error"].estimate
    assert np.abs(predicted - found).mean() == pytest.approx(error, abs=1e-12)


def test_learning_curves_take_points_of_any_sweep():
    points = [LearningPoint(name, size, size / 1000 + s / 100) for name in "ab" for size in (50, 100) for s in range(3)]
    with drawing():
        drawn = draw_learning(points, metric="Spearman")
        text = inline(drawn)
    assert "a from 0.060 at 50 to 0.110 at 100" in drawn.alt
    assert ">50</text>" in text
    assert "mathdefault" not in text


def test_a_sweep_gives_learning_curves_of_its_best_strategies(tmp_path):
    lines = ["protocol,strategy,size,draw,spearman"]
    lines += [f"curve,s{i},{size},{d},{i / 10 + size / 1000}" for i in range(8) for size in (50, 100) for d in (0, 1)]
    (tmp_path / "sweep.csv").write_text("\n".join([*lines, "folds,s9,,0,0.99", "curve,s9,100,0,"]) + "\n")
    points = read_learning_points(tmp_path)
    assert list(dict.fromkeys(point.strategy for point in points)) == ["s7", "s6", "s5", "s4", "s3", "s2"]
    assert len(points) == 6 * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("strategy,size\na,1\n", "no column 'protocol', 'spearman'"),
        ("protocol,strategy,size,spearman\nfolds,a,,0.5\n", "has no learning curve"),
        ("protocol,strategy,size,spearman\ncurve,a,many,0.5\n", "row 1: size 'many'"),
    ],
)
def test_folders_without_a_sweep_are_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "sweep.csv").write_text(text)
    with pytest.raises(LagerError, match=message):
        read_learning_points(tmp_path)


def test_opening_the_cache_again_changes_nothing(evaluation):
    again = evaluate_cache(FeatureCache.open(evaluation.cache.path), ["lager"], resamples=0)
    assert again.agreement["lager"].metrics["kendall"].estimate == (
        evaluation.agreement["lager"].metrics["kendall"].estimate
    )

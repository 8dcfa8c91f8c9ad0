"""Requirements of `lager evaluate`: what they compare, what fails, what is refused, and how the command ends."""

import json
from functools import partial

import numpy as np
import pytest
from lager import LagerError, evaluate_scores
from lager.evaluate.evaluation.requirements import check_requirements, parse_requirement
from support.caches import make_cache
from support.commands import run_command

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(3, 1, size=60)
AGREEMENT = evaluate_scores(
    TRUTH, {"ridge": TRUTH + RNG.normal(size=60), "lager-early:3": TRUTH + RNG.normal(size=60), "flat": np.ones(60)},
    baseline="ridge", off_scale=["flat"],
)  # fmt: skip
SKIPPED = {"ordinal": "no labels"}


def checked(text, agreement=AGREEMENT):
    return check_requirements(agreement, SKIPPED, [parse_requirement(text)])[0]


@pytest.mark.parametrize(
    ("sign", "distance", "met"),
    [(">=", 0, True), ("<=", 0, True), (">", 0, False), ("<", 0, False), (">", -0.01, True), ("<", -0.01, False),
     (">=", 0.01, False), ("<=", 0.01, True)],
)  # fmt: skip
@pytest.mark.parametrize("part", ["", ".estimate", ".low", ".high"])
def test_signs_and_parts_mean_what_they_say(part, sign, distance, met):
    value = getattr(AGREEMENT["ridge"].metrics["pearson"], part[1:] or "estimate")
    assert checked(f"ridge:pearson{part}{sign}{value + distance!r}").met is met


def test_a_difference_to_the_baseline_may_be_required():
    one = AGREEMENT.comparison.differences["lager-early:3"]["spearman"]
    found = [
        checked(f"lager-early:3:spearman.{part}>=-2") for part in ("difference", "difference.low", "difference.high")
    ]
    assert [(one.value, one.met) for one in found] == [(one.difference, True), (one.low, True), (one.high, True)]
    assert checked("ridge:spearman.difference>=-2").reason == "it is the baseline itself"
    without = evaluate_scores(TRUTH, {"ridge": TRUTH}, resamples=0)
    with pytest.raises(LagerError, match="give --baseline STRATEGY too"):
        checked("ridge:spearman.difference>=-2", without)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("flat:spearman>=-1", "constant scores"),
        ("flat:mae<=9", "scale"),
        ("flat:spearman.difference<=1", "undefined"),
        ("ordinal:mae<=9", "the strategy was skipped: no labels"),
        ("ridge:qwk>=-1", "scale"),
    ],
)
def test_a_figure_that_is_undefined_fails(text, reason):
    found = checked(text)
    assert (found.met, found.value) == (False, None)
    assert reason in found.line()
    assert found.as_json() == {"requirement": text, "met": False, "value": None, "reason": found.reason}


def test_an_interval_that_was_not_asked_for_is_no_met_requirement():
    without = evaluate_scores(TRUTH, {"ridge": TRUTH}, resamples=0)
    assert checked("ridge:spearman.low>=-1", without).line() == (
        "requirement NOT MET: ridge:spearman.low>=-1 (it is undefined, no resamples)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rigde:spearman>=0", "no strategy 'rigde': did you mean ridge"),
        ("ridge:spearmann>=0", "no metric 'spearmann': did you mean spearman"),
        ("ridge:spearman.lower>=0", "no part 'lower' of a figure: did you mean low"),
        ("ridge:spearman>=much", "'much' is no finite number"),
        ("ridge:spearman>=nan", "'nan' is no finite number"),
        ("ridge>=0.4", "expected STRATEGY:METRIC>=NUMBER"),
        ("ridge:spearman=0.4", "expected STRATEGY:METRIC>=NUMBER"),
        ("ridge:spearman>==0.4", "expected STRATEGY:METRIC>=NUMBER"),
        ("", "expected STRATEGY:METRIC>=NUMBER"),
    ],
)
def test_names_and_forms_that_are_not_known_are_refused(text, message):
    with pytest.raises(LagerError, match=message):
        checked(text)


def test_a_strategy_may_have_a_colon_in_its_name():
    found = parse_requirement("lager-early:3:spearman.high <= 1e-1 ")
    assert found[1:] == ("lager-early:3", "spearman", "high", "<=", 0.1)


def test_the_command_ends_with_3_after_all_is_written(tmp_path, capsys):
    cache = make_cache(tmp_path / "c", 60, clusters=20).path
    run = partial(run_command, capsys, "evaluate", cache, "--strategy", "lager", "--resamples", "50", "--json")
    plain = json.loads(run()[1])
    status, out, err = run("--require", "lager:spearman>=0.2", "--require", "lager:spearman.low>=0.9999")
    found = json.loads(out)
    told = found.pop("requirements")
    assert (status, found) == (3, plain)
    assert [one["met"] for one in told] == [True, False]
    assert [line.split(":")[0] for line in err.splitlines()] == ["requirement met", "requirement NOT MET"]
    assert run("--require", "lager:spearman>=0.2")[0] == 0
    status, out, err = run("--require", "nobody:spearman>=0.2")
    assert (status, out) == (1, "")
    assert "It has lager" in err

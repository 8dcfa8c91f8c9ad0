import pytest
from lager.data.errors import LagerError
from lager.data.scale import Scale


@pytest.mark.parametrize(
    ("text", "labels", "values"),
    [
        ("1-5", ("1", "2", "3", "4", "5"), (1, 2, 3, 4, 5)),
        (" 0 - 10 ", tuple(map(str, range(11))), tuple(range(11))),
        ("A=4,B=3,C=2", ("A", "B", "C"), (4, 3, 2)),
        ("yes=1, no=0", ("yes", "no"), (1, 0)),
        ("low=-0.5,high=2.5", ("low", "high"), (-0.5, 2.5)),
    ],
)
def test_the_three_grammars_are_read(text, labels, values):
    scale = Scale.parse(text)
    assert (scale.labels, scale.values) == (labels, values)


@pytest.mark.parametrize("text", ["1-5", "2-9", "A=4,B=3,C=2", "yes=1,no=0", "1=1,3=3"])
def test_printing_a_scale_gives_back_what_parse_reads(text):
    assert str(Scale.parse(text)) == text
    assert Scale.parse(str(Scale.parse(text))) == Scale.parse(text)


@pytest.mark.parametrize(
    "text", ["", "5-1", "3-3", "good", "A=4,A=3", "A=nan,B=1", "A=1,B=1", "=1,B=2", "1-99999999999"]
)
def test_a_scale_without_an_expectation_is_refused(text):
    with pytest.raises(LagerError):
        Scale.parse(text)


def test_a_scale_survives_json():
    scale = Scale.parse("A=4,B=3,C=2")
    assert Scale.from_json(scale.as_json()) == scale


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"labels": ["1", "2"]},
        {"labels": ["1", 2], "values": [1, 2]},
        {"labels": ["1", "2"], "values": [True, 2]},
    ],
)
def test_a_malformed_scale_in_a_file_is_refused(raw):
    with pytest.raises(LagerError, match="malformed"):
        Scale.from_json(raw)


def test_low_and_high_follow_values_and_not_order():
    scale = Scale.parse("A=4,B=3,C=2")
    assert (scale.low, scale.high) == (2, 4)

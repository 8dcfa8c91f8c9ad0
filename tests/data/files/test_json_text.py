"""JSON from others: as deep, long and large as it may be, and no further."""

import json
from pathlib import Path

import pytest
from lager.data.errors import LagerError
from lager.data.files.json_text import MAX_DEPTH, Limits, parse_json
from lager.data.files.writing import read_json


def nested(depth):
    return "[" * depth + "]" * depth


def test_depth_is_bounded_whether_or_not_the_interpreter_could_follow():
    assert parse_json(nested(MAX_DEPTH)) is not None
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested deeper than 64"):
            parse_json(nested(depth))


def test_length_and_number_of_containers_are_bounded_before_anything_is_made():
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        parse_json(b'"123456789"', limits=Limits(10, 10))
    with pytest.raises(ValueError, match="more lists"):
        parse_json("[" + "[]," * 10 + "{}]", limits=Limits(1000, 10))


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '{"\\udfff": 1}', b'"\xff"', b"\xff\xfe[\x00]\x00", "", "[1", "9" * 5000]
)
def test_what_is_no_text_and_no_json_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  (all of them, with any message)
        parse_json(text)


def test_surrogate_pairs_are_text():
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


def test_exact_numbers_are_those_that_python_writes():
    values = [0.1, 1e-05, 1e300, 0.30000000000000004, -0.0, 12.0]
    assert parse_json(json.dumps(values), exact=True) == values
    for other in ("0.10", "1E-05", "0.30000000000000005", "1.0e5", "12.00"):
        assert parse_json(other) == float(other)
        with pytest.raises(ValueError, match="not written as it would be"):
            parse_json(other, exact=True)


def test_a_file_that_never_ends_is_not_read_to_its_end():
    with pytest.raises(LagerError, match="more than 1000 bytes"):
        read_json(Path("/dev/zero"), what="manifest", limits=Limits(1000, 10))

"""What files call things never steers the terminal, nor carries a secret into a message."""

import unicodedata

import pytest
from lager.data.errors import LagerError
from lager.data.safe_text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ümläut, 日本語, 👩‍🔬, a b", "plain text, ümläut, 日本語, 👩‍🔬, a b"),
        ("\x1b[2J\x1b]0;title\x07", "\\u001b[2J\\u001b]0;title\\u0007"),
        ("a\nb\rc\td\x00", "a\\nb\\rc\\td\\u0000"),
        ("\x9b31m", "\\u009b31m"),
        ("abc\u202edef\u2066", "abc\\u202edef\\u2066"),
        ("\u2028\u2029\ufeff\u00ad", "\\u2028\\u2029\\ufeff\\u00ad"),
        ("\ud800\U000e0041", "\\ud800\\udb40\\udc41"),
    ],
)
def test_control_characters_become_visible(text, shown):
    assert printable(text) == shown
    assert printable(shown) == shown


def test_no_character_that_terminals_act_on_is_left():
    everything = "".join(map(chr, [*range(0x20000), *range(0xE0000, 0xE0200), 0x10FFFF]))
    kinds = {unicodedata.category(char) for char in printable(everything) if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_line_breaks_stay_where_they_are_wanted():
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\u001b"


def test_an_error_is_one_line_without_control_characters_and_credentials():
    error = LagerError("cannot read s3://key:secret@bucket/x?token=abc\nid '\x1b[31m' of hf_abcdefghijklmnopqrst")
    assert str(error) == "cannot read s3://bucket/x?...\\nid '\\u001b[31m' of ***"


def test_an_error_about_an_endless_name_is_short():
    assert len(str(LagerError("x" * 10_000_000))) < 5000

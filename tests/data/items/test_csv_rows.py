"""CSV files give the rows that Python's csv module reads, in any encoding and with any end of line, or are refused."""

import csv
import io
import random

import pytest
from lager.data.errors import LagerError
from lager.data.items.csv_rows import open_csv
from lager.data.items.large_files import open_rows
from lager.data.items.small_files import read_rows
from lager.data.open_items import load_items

PIECES = [
    "a",
    "oak",
    '"',
    '""',
    "\\",
    '\\"',
    ",",
    ";",
    "é",
    "汉",
    "😀",
    "'",
    "=1",
    "\x85",
    "\t",
    "\n",
    "\r\n",
    "\r",
    " ",
]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]


def written(rng, names):
    """Return the bytes of a random table, its text and its separator."""
    separator, end = rng.choice(",;\t"), rng.choice(["\n", "\r\n", "\r"])
    out = io.StringIO(newline="")
    # The writer quotes a line break only where it is the end of its own lines.
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerow([rng.choice(["", " "]) + name + rng.choice(["", " "]) for name in names])
    for _ in range(rng.randrange(1, 6)):
        writer.writerow(["".join(rng.choices(PIECES, k=rng.randrange(5))) for _ in names])
    out.write(end * rng.randrange(3))
    encoding = rng.choice(ENCODINGS)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    return (mark + out.getvalue()).encode(encoding), out.getvalue(), separator


def by_the_csv_module(text, separator, *, strict=False):
    header, *rows = (
        row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict) if row
    )
    return [{name.strip(): cell or None for name, cell in zip(header, row, strict=True)} for row in rows]


def compare(tmp_path, n, seed):
    rng = random.Random(seed)
    path, refused = tmp_path / "items.csv", 0
    for number in range(n):
        content, text, separator = written(rng, ["id", "response", "score"][: rng.randrange(2, 4)])
        path.write_bytes(content)
        expected = by_the_csv_module(text, separator)
        assert read_rows(path) == expected, content
        if number % 10 == 0:
            file = open_rows(path)
            assert file.read(0, file.n_rows) == expected, content
        # One character less: the same rows as the csv module reads for certain, or none.
        at = rng.randrange(len(text))
        cut = text[:at] + text[at + 1 :]
        path.write_bytes(cut.encode())
        try:
            found = read_rows(path)
        except LagerError:
            refused += 1
            continue
        assert any(_same(found, cut, one) for one in ",;\t"), cut
    return refused


def _same(found, text, separator):
    try:
        return found == by_the_csv_module(text, separator, strict=True)
    except (csv.Error, ValueError):
        return False


def test_generated_files_are_read_as_by_the_csv_module(tmp_path):
    assert compare(tmp_path, 400, seed=0) > 20


@pytest.mark.slow
def test_ten_thousand_generated_files_are_read_as_by_the_csv_module(tmp_path):
    assert compare(tmp_path, 10_000, seed=1) > 500


REFUSED = {
    "a backslash before a quote": (
        'id,response,score\n1,ok,2\n2,"A \\"robin",3\n',
        r"row 2 \(line 3\).*double the quotes",
    ),
    "a quote that stays open": ('id,response\n1,"open\n2,b\n', r"row 1 \(line 3\)"),
    "too many cells": ("id,response\n1,a\n2,b,c\n", r"row 2 \(line 3\): 3 cells, expected 2"),
    "too few cells": ("id,response\n\n1,a\n2\n", r"row 2 \(line 4\): 1 cells, expected 2"),
    "a repeated name": ("id,response,response\n1,a,b\n", "'response' more than once"),
    "a name repeated but for spaces": ("id,score, score\n1,2,3\n", "'score' more than once"),
    "two separators": ("id,response;score\n1,a;b\n", "commas and semicolons"),
    "no text": (b"id,response\n1,a\n2,\xff\n", "line 3"),
    "zero bytes": ("id,response\n1,a\n".encode("utf-16-le"), "line 1: it holds a zero byte"),
    "a cut letter": ("id,response\n1,a\n".encode("utf-16")[:-1], "cannot read item file"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("read", [read_rows, open_rows])
def test_what_can_be_meant_in_two_ways_is_refused_with_its_place(tmp_path, case, read):
    content, message = REFUSED[case]
    path = tmp_path / "items.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LagerError, match=message):
        read(path)


def test_names_have_no_spaces_around_them_and_may_hold_a_quoted_separator(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text(' id ; "a,b";"c;d"\n1;x,y;"z;"\n'.replace('; "', ';"'))
    assert read_rows(path) == [{"id": "1", "a,b": "x,y", "c;d": "z;"}]


def test_a_long_text_is_read_and_the_csv_module_is_left_as_it_was(tmp_path):
    path, before = tmp_path / "items.csv", csv.field_size_limit()
    path.write_text("id,response\n1," + "x" * (before + 1) + "\n")
    assert len(read_rows(path)[0]["response"]) == before + 1
    with open_csv(path) as table:
        assert table.columns == ["id", "response"]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("read", [read_rows, lambda path: (file := open_rows(path)).read(0, file.n_rows)])
@pytest.mark.parametrize("encoding", ENCODINGS[:3])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_json_lines_in_every_encoding_and_with_every_end(tmp_path, read, encoding, end):
    path = tmp_path / "items.jsonl"
    path.write_bytes(end.join(['{"id": "é"}', "", '{"id": "b\u2028c"}', ""]).encode(encoding))
    assert read(path) == [{"id": "é"}, {"id": "b\u2028c"}]


@pytest.mark.parametrize("read", [read_rows, open_rows])
def test_a_json_line_that_has_a_name_twice_is_refused(tmp_path, read):
    path = tmp_path / "items.jsonl"
    path.write_text('{"id": 1, "score": 1}\n{"id": 2, "score": 1, "score": 5}\n')
    with pytest.raises(LagerError, match=r"line 2: not valid JSON .'score' is there more than once"):
        read(path)


def test_rows_with_backslashes_stay_four_items(tmp_path):
    path = tmp_path / "items.csv"
    rows = [
        '1,Name a bird,"A bird called \\""robin",2',
        "2,Name a fish,A trout.,4",
        '3,Name a tree,"The \\""oak\\""",5',
    ]
    path.write_text("\n".join(["id,instruction,response,score", *rows, "4,Name a river,\\The Rhine.,1", ""]))
    items = load_items(path)
    assert items.table["scores"].to_list() == [[2], [4], [5], [1]]
    assert [fields["response"] for fields in items.fields] == [
        'A bird called \\"robin', "A trout.", 'The \\"oak\\"', "\\The Rhine.",
    ]  # fmt: skip

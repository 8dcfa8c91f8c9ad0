"""One table in every output: nothing is cut, marks and reasons are kept, and names are shown as they are."""

import io

import pytest
from lager.evaluate.report.page import render
from lager.evaluate.tables.latex import latex
from lager.evaluate.tables.markdown import markdown
from lager.evaluate.tables.table import BEST, NONE, Cell, Column, Table, count, decimal, interval, name, percent
from lager.evaluate.tables.terminal import print_table
from rich.console import Console

TABLE = Table(
    columns=(
        Column("model", "name"),
        Column("strategy", "name"),
        Column("Spearman"),
        Column("MAE"),
        Column("Spearman,\npooled", "aside", hidden=("latex",)),
        Column("n", "count", hidden=("narrow terminal",)),
    ),
    rows=(
        (name("a_1"), name("x"), interval(0.5, 0.25, 0.75, mark="+", best=True), interval(0.1, None, None),
         interval(-0.00001, None, None), count(300)),
        (name("a_1"), name("y", "in-sample"), interval(None, None, None, reason="constant scores"),
         interval(0.2, 0.1, 0.3, mark="-"), interval(0.3, None, None), count(7)),
        (name("b|[red]"), name("x"), Cell(NONE), interval(1.5, 1.0, 2.0), Cell(NONE), count(7)),
    ),
    foot=((name("human"), Cell(""), interval(0.9, 0.8, 1.0), interval(0.05, None, None), Cell(""), Cell("")),),
    headline=("What was compared",),
    legend=f"{BEST} best in its column",
    notes=("in-sample: {best} y of a_1",),
    sections=True,
)  # fmt: skip


def printed(table, width):
    console = Console(file=io.StringIO(), width=width)
    print_table(table, console)
    return console.file.getvalue().splitlines()


def words(lines):
    return [line.split() for line in lines]


def test_a_terminal_names_a_model_once_and_puts_intervals_where_there_is_room():
    wide = words(printed(TABLE, 140))
    assert ["a_1", "x", "0.500*+", "[.250,", ".750]", "0.100", "0.000", "300"] in wide
    assert ["y", "in-sample", "-", "0.200-", "[.100,", ".300]", "0.300", "7"] in wide
    assert ["b|[red]", "x", "-", "1.500", "[1.000,", "2.000]", "-", "7"] in wide
    assert wide[0] == ["What", "was", "compared"]
    assert wide[-2:] == [["*", "best", "in", "its", "column"], ["in-sample:", "{best}", "y", "of", "a_1"]]
    narrow = words(printed(TABLE, 80))
    assert ["a_1", "x", "0.500*+", "0.100", "0.000"] in narrow
    assert ["[.25,", ".75]"] in narrow
    assert ["in-sample", "[.10,", ".30]"] in narrow


def test_figures_go_into_further_tables_and_what_stands_beside_them_is_said_once():
    parts = TABLE.take([0, 1, 2, 3, 4, 5])
    lines = "\n".join(printed(Table(**{**vars(parts), "abreast": 1}), 120))
    assert lines.count("model") == 2
    assert lines.count("human") == 2
    assert lines.count("Spearman,") == 1
    assert lines.count("MAE") == 1


def test_a_terminal_shows_no_control_character_and_no_markup():
    table = Table((Column("\x1b[31m", "name"), Column("[bold]n")), ((name("\x07[blink]a"), count(1)),))
    text = "\n".join(printed(table, 80))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[blink]a" in text
    assert "[bold]n" in text


def test_markdown_repeats_names_and_escapes_them():
    lines = markdown(TABLE).splitlines()
    assert lines[:4] == [
        "What was compared", "",
        "| model | strategy | Spearman | MAE | Spearman, pooled | n |", "| --- | --- | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    assert lines[4] == r"| a\_1 | x | **0.500+ [0.250, 0.750]** | 0.100 | 0.000 | 300 |"
    assert lines[5] == r"| a\_1 | y (in-sample) | - | 0.200- [0.100, 0.300] | 0.300 | 7 |"
    assert lines[6].startswith(r"| b\|\[red\] | x | - | 1.500 [1.000, 2.000] |")
    assert lines[7] == "| human |  | 0.900 [0.800, 1.000] | 0.050 |  |  |"
    assert lines[8:] == ["", "- bold: best in its column", r"- in-sample: {best} y of a\_1"]


def test_latex_has_a_rule_between_models_and_leaves_out_what_it_has_no_room_for():
    lines = latex(TABLE).splitlines()
    assert lines[:3] == ["% What was compared", "% bold: best in its column", "% in-sample: {best} y of a_1"]
    body = lines[lines.index(r"\toprule") :]
    assert body == [
        r"\toprule", r"model & strategy & Spearman & MAE & n \\", r"\midrule",
        r"a\_1 & x & \textbf{0.500}$^{+}$ & 0.100 & 300 \\", r" & y (in-sample) & -- & 0.200$^{-}$ & 7 \\", r"\midrule",
        r"b|[red] & x & -- & 1.500 & 7 \\", r"\midrule", r"human &  & 0.900 & 0.050 &  \\", r"\bottomrule",
        r"\end{tabular}",
    ]  # fmt: skip


NAMES = ("[x]", "*a*", "# b", "- c", "1. d", "~~e~~", "&lt;f&gt;", "$g$", "h_i^j", r"k\l{m}%n", "o|p", "q\nr")


def test_names_are_text_in_markdown_and_latex():
    rows = tuple((name(one, one),) for one in NAMES)
    table = Table((Column("name", "name"),), rows, headline=NAMES, notes=NAMES)
    written = markdown(table).splitlines()
    assert written[15:19] == [r"| \[x\] (\[x\]) |", r"| \*a\* (\*a\*) |", r"| \# b (\# b) |", r"| \- c (\- c) |"]
    assert written[19:22] == [r"| 1\. d (1\. d) |", r"| \~\~e\~\~ (\~\~e\~\~) |", r"| \&lt;f\&gt; (\&lt;f\&gt;) |"]
    assert written[22:24] == [r"| \$g\$ (\$g\$) |", r"| h\_i^j (h\_i^j) |"]
    assert written[25:27] == [r"| o\|p (o\|p) |", "| q r (q r) |"]
    assert written[0] == r"\[x\]  "
    assert written[30:34] == [r"- \# b", r"- \- c", r"- 1\. d", r"- \~\~e\~\~"]
    lines = latex(table).splitlines()
    body = [line.removesuffix(r" \\").partition(" (")[0] for line in lines[lines.index(r"\midrule") + 1 : -2]]
    assert body == [
        "{[}x]", "{*}a*", r"\# b", "- c", "1. d",
        r"\textasciitilde{}\textasciitilde{}e\textasciitilde{}\textasciitilde{}",
        r"\&lt;f\&gt;", r"\$g\$", r"h\_i\textasciicircum{}j", r"k\textbackslash{}l\{m\}\%n", "o|p", "q r",
    ]  # fmt: skip
    assert all(line.startswith("% ") for line in lines[: lines.index("% needs \\usepackage{booktabs}")])


def test_the_page_sorts_by_what_is_not_rounded_and_gives_reasons_and_keeps_the_foot_apart():
    page = render([TABLE], [], title="A & B", headline=TABLE.headline)
    assert '<td data-sort="0.5" class="best">0.500+<span class="sub">[0.250, 0.750]</span></td>' in page
    assert '<td title="constant scores">-</td>' in page
    assert '<td data-sort="y">y (in-sample)</td>' in page
    body, foot = page.split("<tfoot>")
    assert body.count('<td data-sort="a_1">a_1</td>') == 2
    assert 'data-sort="human"' in foot
    assert "<li>bold: best in its column</li>" in foot
    assert "<title>A &amp; B</title>" in page


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (-0.0004, "0.000"), (0.0005001, "0.001"), (12.0, "12.000")])
def test_numbers_have_three_digits_and_no_sign_of_zero(value, text):
    assert decimal(value) == text


def test_a_percentage_that_is_not_known_is_no_zero():
    assert (percent(0.125, 1).text, percent(None).text, count(None).text) == ("12.5%", "-", "-")
    assert percent(None).undefined
    assert not name("-").undefined

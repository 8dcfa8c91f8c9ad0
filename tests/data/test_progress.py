"""Progress is told on stderr alone: a bar on a terminal, lines elsewhere, nothing where a command is quiet."""

import io
import sys
import threading

import pytest
from lager.data import progress
from lager.data.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def every_line(monkeypatch):
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)


def count(total, parts, **options):
    with Progress(total, **options) as counted:
        for part in parts:
            counted.advance(part)
    return counted


def test_items_are_told_with_their_speed_and_the_time_left(every_line, capsys):
    counted = count(100, [5, 5], done=50)
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("55/100 items, ")
    assert last.startswith("60/100 items, ")
    assert last.endswith(" s left")
    assert counted.speed > 0


def test_bytes_are_told_in_mebibytes_with_the_total_where_it_is_known(every_line, capsys):
    count(10 << 20, [3 << 20, -(1 << 20)], what="pulling a", unit="bytes")
    count(0, [3 << 20], what="pulling b", unit="bytes")
    assert capsys.readouterr().err.splitlines() == [
        "pulling a: 3 of 10 MiB",
        "pulling a: 2 of 10 MiB",
        "pulling b: 3 MiB",
    ]


def test_lines_come_seldom_and_not_at_all_when_quiet(capsys, monkeypatch):
    count(100, [1] * 50)
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    count(100, [1] * 50, shown=False)
    with Progress(1.0, what="scoring", unit="share") as bar:
        bar.tell("ridge", 0.5)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("unit", ["items", "bytes", "share"])
def test_a_terminal_gets_a_bar_that_goes_away(unit, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Progress(1.0, what="[bold]{odd}", unit=unit) as bar:
        bar.tell("[red]{name}", 0.5)
    shown = terminal.getvalue()
    assert "[red]{name}" in shown  # neither markup nor a format
    assert shown.endswith("\x1b[2K")


def test_no_thread_is_lost_in_the_count():
    with Progress(8000, shown=False) as counted:
        threads = [threading.Thread(target=lambda: [counted.advance(1) for _ in range(1000)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counted.done == 8000

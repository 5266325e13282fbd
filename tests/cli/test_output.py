from __future__ import annotations

from hemato_lab.cli.output import print_table, print_text

ACTING = "\x00\x07\x08\x0b\r\x1b\x7f\x85\x9b\u061c\u200e\u2028\u202e\u2069\ud800"


def test_what_would_act_on_a_terminal_is_not_printed(capsys):
    print_text(f"a{ACTING}b\tc\nd")
    assert capsys.readouterr().out == f"a{len(ACTING) * chr(0xFFFD)}b\tc\nd\n"


def test_a_cell_of_a_table_stays_in_its_line_and_column(capsys):
    print_table("caption", ("one", "two"), ((f"x\ny\tz{ACTING}", "2"),))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == f"x y z{len(ACTING) * chr(0xFFFD)}  2"


def test_the_ends_of_lines_of_other_systems_are_ends_of_lines(capsys):
    print_text("a\r\nb")
    assert capsys.readouterr().out == "a\nb\n"

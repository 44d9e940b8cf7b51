"""Common mistakes in YAML are told in the words of who wrote the file, where they were made."""

from __future__ import annotations

import pytest

from rules.document import read_document
from rules.problems import Report

CUT_SHORT = "what follows ' #' is a comment, unless it is quoted"
COMMA = "put ',' between its entries, and quote a value that holds ': '"
OPENED = "in the '{' opened at line 1, column 4"


def told(text):
    report = Report()
    read_document(text, "rules.yaml", report)
    return [f"{each.line}:{each.column}: {each.message}" for each in report.problems]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "rules:\n  - id: a\n    on: b\n     - id: c\n",
            "4:6: this item is indented too far: the items above begin in column 3",
        ),
        (
            "rules:\n  - id: a\n    - id: b\n",
            "3:5: this item is indented too far: the items above begin in column 3",
        ),
        (
            "rules:\n  - id: a\n - id: b\n",
            "3:2: this item is indented too little: the items above begin in column 3",
        ),
        (
            "rules:\n  - id: a\n      on: b\n",
            "3:7: this key is indented too far: the keys above begin in column 5",
        ),
        (
            "rules:\n  - id: a\n    # why\n\n   on: b\n    dispatch: {agent: a}\n",
            "5:4: this key is indented too little: the keys above begin in column 5",
        ),
        (
            "rules:\n  - id: a\n  on: b\n",
            "3:3: this key is indented too little: the keys above begin in column 5",
        ),
        (
            "when:\n    room: {name: a}\n  participant: {kind: SIP}\n",
            "3:3: this key is indented too little: the keys above begin in column 5",
        ),
        (
            "- a: |\n  b\n  c: d\n",
            "2:3: the text below '|' has to be indented further than its key",
        ),
        (
            "version: 1\n- id: a\n",
            "2:1: an item of a list among keys: indent it below the key it belongs to",
        ),
        (
            "- id\nversion: 1\n",
            "2:1: a key among the items of a list: begin it with '- ', or unindent it",
        ),
    ],
)
def test_a_line_that_is_indented_wrong(text, error):
    assert told(text) == [error.replace(": ", ": not valid YAML: ", 1)]
    assert told(text.replace("\n", "\r\n")) == told(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("rules:\n  - id: a\n    on b\n    x: y\n", "3:5: a ':' is missing after 'on'"),
        ("rules:\n  - id a\n    on: b\n", "2:5: a ':' is missing after 'id'"),
        ("version: 1\nrules\n  - id: a\n", "2:1: a ':' is missing after 'rules'"),
        ("when:\n  room\n    name: a\n", "2:3: a ':' is missing after 'room'"),
        ("version: 1\nrules", "2:1: a ':' is missing after 'rules'"),
        ("rules:\n  - id:a\n    on: b\n", "2:8: a space is missing after ':'"),
        ("rules:\n  - id: a\n    on:b\n    x: y\n", "3:8: a space is missing after ':'"),
        ("version: 1\nx:2\n", "2:3: a space is missing after ':'"),
        ("rules:\n  -id: a\n   on: b\n", "2:4: a space is missing after '-'"),
        ("rules:\n  - id: a\n  -id: b\n", "3:4: a space is missing after '-'"),
    ],
)
def test_a_colon_or_a_space_that_is_missing(text, error):
    assert told(text) == [error.replace(": ", ": not valid YAML: ", 1)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('a: "b\nc: d\ne: f\n', '1:4: the " opened here is never closed'),
        ("a: 'b\nc: d\n", "1:4: the ' opened here is never closed"),
        ("a: 'b\nc: 'd'\n", "1:4: the ' opened here is closed only at line 2, column 4"),
        ("a: [b, c\nd: e\n", "1:4: the '[' opened here is never closed"),
        ("a: b\n'c: d\ne: 'f'\n", "2:1: the ' opened here is not closed on its line"),
        ('a: {b: "c}\nd: {e: "f"}\n', '1:8: the " opened here is not closed on its line'),
        ("a: {b: c\nd: e\n", "1:4: the '{' opened here is never closed"),
        ("rules:\n  - {id: a\n  - {id: b}\n", "2:5: the '{' opened here is never closed"),
        ("é: {b: c", "1:4: the '{' opened here is never closed"),
        ("a: [b #1, c]\nd: e\n", f"1:4: the '[' opened here is never closed: {CUT_SHORT}"),
        ("a: [b}\n", "1:6: '}' does not close the '[' opened at line 1, column 4: ']' does"),
        ("a: {\n  b: c\n  d: e\n}\n", f"3:4: a ',' or '}}' is missing before this, {OPENED}"),
        ("a: b\nc: [d]]\n", "2:7: a ']' that closes nothing: quote the text if it belongs to one"),
    ],
)  # fmt: skip
def test_a_quote_or_a_bracket_that_is_not_closed(text, error):
    assert told(text) == [error.replace(": ", ": not valid YAML: ", 1)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: b: c", "1:5: a second ': ' in one line: quote the value that holds it"),
        (
            "{a: b c: d}",
            f"1:8: a ':' too many in the '{{' opened at line 1, column 1: {COMMA}",
        ),
        ("a: *", "1:4: a value cannot begin with '*': quote it"),
        ("a: @b", "1:4: a value cannot begin with '@': quote it"),
        ("a: %b", "1:4: a value cannot begin with '%': quote it"),
        ("%b: c", "1:1: a line cannot begin with '%': quote it"),
        ("😀: `b`", "1:4: a value cannot begin with '`': quote it"),
        ("a: , b", "1:4: a value cannot begin with ',': quote it"),
        ("a: {% if b %}c{% endif %}", "1:4: a value cannot begin with '{%': quote it, \"{% … %}\""),
        (
            "a: >= 5",
            "1:4: a value cannot begin with '>': quote it, or begin its text on the next line",
        ),
        (
            "a: - b",
            "1:4: a value cannot begin with '- ': quote it, or begin a list on the next line",
        ),
        (
            "a: 'it's'",
            "1:8: text behind a closing ': quote the whole value, and write a ' in it as ''",
        ),
        (
            'a: "b" c',
            '1:8: text behind a closing ": quote the whole value, and write a " in it as \\"',
        ),
        (
            'a: "\\d+"',
            "1:5: in \"…\" a backslash begins an escape: write '\\\\', or put the text in '…'",
        ),
    ],
)
def test_a_value_that_has_to_be_quoted(text, error):
    assert told(text) == [error.replace(": ", ": not valid YAML: ", 1)]


@pytest.mark.parametrize(
    "text", ["a: {{ room.name }}", "a: {{ room.name }}-x", "a: {{ room.name }}\nb: c"]
)
def test_a_template_that_is_not_quoted(text):
    assert told(text) == ["1:4: a value cannot begin with '{{': quote it, \"{{ … }}\""]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a:\n\tb: c", "2:1: a tab: YAML is indented with spaces"),
        ("a:\n  b: c\n  \td: e", "3:3: a tab: YAML is indented with spaces"),
        ("-\ta", "1:2: a tab: write spaces"),
    ],
)
def test_a_tab(text, error):
    assert told(text) == [error.replace(": ", ": not valid YAML: ", 1)]


def test_errors_before_a_mistake_are_told_too():
    assert told("a: 1\na: 2\nb: c: d") == [
        "2:1: 'a' twice: first at line 1",
        "3:5: not valid YAML: a second ': ' in one line: quote the value that holds it",
    ]

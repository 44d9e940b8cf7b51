"""What the fast parser reads is what the exact one reads: values, and where each stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.document import read_document
from rules.problems import Report
from rules.yaml_events import Unlike, exact_events, fast_events

EXAMPLES = sorted(Path(__file__).parents[2].glob("rules/examples/*.yaml"))

words = st.sampled_from(
    [
        "a", "b c", "é", "名前", "😀", "on", "010", "1.5", "null", "~", "true", "-1", "http://x/y",
        "a:b", "x-y_z", "{a", "a}", "[", "<<", "=", ".", "a#b", "it's", "a\xa0b", "\\n",
    ]
)  # fmt: skip
texts = st.text(alphabet="ab é😀'\"\\:#-{}[],&*!|>%@`?\n~", max_size=12)
plain_words = words.filter(lambda word: word[0] not in "{[" and "}" not in word)
scalars = (
    plain_words
    | texts.map(lambda text: "'" + text.replace("'", "''").replace("\n", " ") + "'")
    | texts.map(lambda text: json.dumps(text, ensure_ascii=False))
    | st.sampled_from(["", "&x a", "!!str 7", "! 7", "*x", '"a\\\n   b"', "{}", "[]", "a b\n    c"])
)
flows = st.recursive(
    scalars.filter(lambda written: "\n" not in written),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(plain_words, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=5,
)
blocks = st.lists(st.sampled_from(["a", "b: c", "# d", "", "- é", "  x"]), max_size=4)
nodes = st.recursive(
    scalars | flows,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(plain_words, inner, min_size=1, max_size=3)
        | st.tuples(st.sampled_from(["|", ">-", "|+", "> # why"]), blocks)
    ),
    max_leaves=8,
)
fragments = st.sampled_from(
    """
    a|b c|é|😀|1|:|: |- |-|?|? |{|}|[|]|,|, |&a |*a|*a |*a: |!|!!str |!t |'|"|''|'a'|"b"|%|@|`|#| #|
    |  | ~|<<: |<|.|\\|\\n|\\/|\\x41|\\uD83D\\uDE00|---|...|--- |a:b|a: |- a|http://x|{{ a }}|| |>
    """.strip("\n ").split("|")
) | st.sampled_from(
    [
        "\n", "\n", "\n  ", "\n    ", "\r\n", "\r", "|", "|\n", ">-\n", "|2", "%YAML 1.1\n---\n",
        "\u2028", "\x85", "\ufeff", "\0", "\x07", "\n---\n", "...\n", "k" * 1030 + ": ", "- ? a\n",
    ]
)  # fmt: skip
soups = st.lists(fragments, max_size=10).map("".join)


def written(node: object, indent: int = 0) -> str:
    """A tree as YAML, each part begun behind what is before it."""
    below = "\n" + " " * indent
    match node:
        case str():
            return " " + node
        case (sign, lines):
            return f" {sign}" + "".join(f"\n{' ' * (indent + 1)}{line}" for line in lines)
        case list():
            return "".join(f"{below}-{written(item, indent + 2)}" for item in node)
        case dict():
            pairs = ((json.dumps(key), value) for key, value in node.items())
            return "".join(f"{below}{key}:{written(value, indent + 1)}" for key, value in pairs)
    raise AssertionError(node)


def read(text, *parsers):
    report = Report()
    tree = read_document(text, "rules.yaml", report, *([parsers] if parsers else []))
    return repr(tree), [str(problem) for problem in report.problems]


def assert_alike(text):
    tree, problems = read(text, exact_events)
    allowed = re.search(r"""['"]:""", text)
    if problems and (allowed or "more indented follow up line" in problems[0]):
        return  # the exact parser refuses what YAML 1.2 allows
    assert read(text) == (tree, problems)


@settings(max_examples=300)
@given(tree=st.dictionaries(words, nodes, min_size=1, max_size=4))
def test_what_is_written_in_any_style_is_read_alike(tree):
    assert_alike(written(tree).lstrip("\n"))


@settings(max_examples=700)
@given(
    soup=soups, root=st.sampled_from(["", "", "a:\n  - b: ", "rules:\n  - id: a\n    x: ", "- {"])
)
def test_what_is_hardly_yaml_is_read_alike_or_refused_alike(soup, root):
    assert_alike(root + soup)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_read_alike_and_fast(path):
    text = path.read_text()
    assert list(fast_events(text))
    for variant in (text, text.replace("\n", "\r\n"), text.replace("agent", "ag😀ñt")):
        assert read(variant) == read(variant, exact_events)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa: b", "%YAML 1.1\n---\na: yes", "a: b\n...\n",
        "a: &b: c\nd: *b:", "*a: b", "a: !t:,x b", "a: !!str &b c", "a: |#b\n  c", "a", "'a'",
        '{"a": "\\ud83d\\ude00"}', "a: \ud800", "a: \x07", "? a\n: b\n: c", "&é a: b",
    ],
)  # fmt: skip
def test_what_the_parsers_read_differently_is_left_to_the_exact_one(text):
    with pytest.raises(Unlike):
        list(fast_events(text))
    assert read(text) == read(text, exact_events)


@pytest.mark.parametrize("text", ["a: b\t\nc: d", "a:\tb\nc: d", "a: b\t# c\nc: d", "a\t: b\nc: d"])
def test_a_tab_that_indents_nothing_is_a_space_as_yaml_has_it(text):
    tree, problems = read(text)
    assert (tree, problems) == read(text.replace("\t", " "))
    assert problems == []


@pytest.mark.parametrize("text", ["a:\n\tb: c", "a:\n  b: c\n\td: e", "a:\n  b: c\n  \td: e"])
def test_a_tab_that_indents_is_refused(text):
    (problem,) = read(text)[1]
    assert "a tab" in problem


@pytest.mark.parametrize("mistake", ["\n   x: y", ": z", "\n    on: [a", "\n    on: 'a", "\n\tz"])
def test_a_mistake_far_down_is_told_as_if_all_was_read_by_the_exact_parser(mistake):
    rules = "".join(f"  - id: r{n}\n    when: {{room: {{name: 'é{n}'}}}}\n" for n in range(30))
    text = f"version: 1\nrules:\n{rules}  - id: last{mistake}\n  - id: more\n"
    assert read(text) == read(text, exact_events)
    assert len(read(text)[1]) == 1


def test_errors_that_libyaml_stops_before_are_told():
    text = "rules:\n  - a\n  - b\n  - c\n: d\ne: f: g\n"  # libyaml knows no key that is empty
    assert len(read(text)[1]) == 2
    assert read(text) == read(text, exact_events)


def test_without_libyaml_all_is_left_to_the_exact_parser(monkeypatch):
    monkeypatch.setattr("rules.yaml_events._LIBYAML", None)
    with pytest.raises(Unlike):
        next(fast_events("a: b"))
    assert read("a: b") == read("a: b", exact_events)


def test_libyaml_is_here():
    assert yaml.__with_libyaml__

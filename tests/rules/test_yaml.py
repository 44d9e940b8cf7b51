"""Rule files are YAML 1.2, with what a rule file has no use for refused."""

from __future__ import annotations

import pytest

from rules.document import MAX_DEPTH, read_document
from rules.problems import Report
from rules.scalars import plain_scalar
from tests.rules.given import decided, errors, joined, one, problems, rule, ruleset

RULE = "{id: a, on: participant_joined, dispatch: {agent: a}}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("true", True), ("False", False),
        ("TRUE", True), ("tRue", "tRue"), ("null", None), ("~", None), ("", None), ("Null", None),
        ("7", 7), ("-7", -7), ("+7", 7), ("010", 10), ("0o10", 8), ("0x1f", 31), ("1_000", "1_000"),
        ("0b1", "0b1"), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("1:30", "1:30"),
        ("2026-12-25", "2026-12-25"), ("-", "-"), (".", "."), ("+", "+"), ("=", "="), ("<<", "<<"),
        ("\u0661", "\u0661"), ("1\u0661", "1\u0661"),
    ],
)  # fmt: skip
def test_words(word, value):
    found = plain_scalar(word)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("word", [".nan", ".inf", "-.INF", "1e999", "9" * 400])
def test_numbers_json_has_no_place_for(word):
    with pytest.raises(ValueError, match="quote it"):
        plain_scalar(word)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: 1\na: 2", "2:1: 'a' twice: first at line 1"),
        ("{1: a}", "1:2: the key 1 is not text: quote it"),
        ("{null: a}", "1:2: the key null is not text: quote it"),
        ("{true: a}", "1:2: the key true is not text: quote it"),
        ("? [a]\n: b", "1:3: the key is not text: quote it"),
        ("a: !thing b", "1:4: the tag '!thing' means nothing here"),
        ("a: !!int x", "1:4: 'x' is not a int"),
        ("a: !!binary x", "means nothing here"),
        ("a: !!set {x}", "means nothing here"),
        ("a: *b", "1:4: unknown alias '*b'"),
        ("a: &a [*a]", "1:8: '*a' contains itself"),
        ("a: &a {b: {c: *a}}", "'*a' contains itself"),
        ("a: 1\n---\nb: 1", "2:1: a second document: a file holds one"),
        ("<<: 7", "1:1: '<<' takes a mapping or a list of them"),
        ("a: [1", "not valid YAML"),
        ("a: 'x", "not valid YAML"),
        ("a:\n\t- b", "not valid YAML"),
        ("a: b: c", "1:5: not valid YAML: a second ': ' in one line"),
        ("a: @b", "not valid YAML"),
        ("a: \x07", "1:4: not valid YAML"),
        ("a: " + "[" * 5000, "nested deeper than"),
        ("a: " + "{a: " * 5000, "nested deeper than"),
        ("- " * 5000 + "a", "nested deeper than"),
        ('a: "\\uD800"', "half of a surrogate pair"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
    ],
)
def test_what_is_refused(text, error):
    report = Report()
    read_document(text, "rules.yaml", report)
    assert any(error in str(problem).replace("error: ", "") for problem in report.problems)


def test_an_alias_bomb_is_refused_quickly():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    (error,) = errors("\n".join(lines))
    assert "values once aliases are written out" in error


def test_aliases_of_aliases_are_not_deeper_than_what_is_written_out():
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 10)]
    (error,) = errors("\n".join(lines))
    assert "nested deeper than" in error


def test_anchors_and_merges_work_within_a_file():
    loaded = ruleset(
        """
        version: 1
        rules:
          - &base
            id: a
            on: participant_joined
            when: &support {room: {name: "support-*"}}
            dispatch: &greeter {agent: greeter, deployment: staging}
          - <<: *base
            id: b
            dispatch: {<<: *greeter, deployment: ""}
          - <<: [{once: event}, *base]
            id: c
        """
    )
    a, b, c = loaded.rules
    assert (a.once, b.once, c.once) == ("room", "room", "event")
    event = joined()
    plans = [decision.plans[0] for decision in decided(loaded, event)]
    assert [(plan.agent, plan.deployment) for plan in plans] == [
        ("greeter", "staging"),
        ("greeter", ""),
        ("greeter", "staging"),
    ]


def test_a_rule_repeated_by_its_anchor_is_a_second_rule_of_that_id():
    base = "&r {id: a, on: participant_joined, dispatch: {agent: a}}"
    for again in ("*r", "{<<: *r, once: event}"):
        (error,) = errors(f"version: 1\nrules:\n  - {base}\n  - {again}")
        assert "the id 'a' is taken: by the rule at rules.yaml:3:13" in error


def test_on_is_a_key_like_any_other():
    assert ruleset(f"version: 1\nrules: [{RULE}]").rules[0].on == ("participant_joined",)


def test_yaml_1_1_is_not_brought_back_by_a_directive():
    loaded = ruleset(f"%YAML 1.1\n---\nversion: 1\nrules: [{RULE}]")
    assert one(loaded, joined()).plans


def test_json_is_yaml():
    rule = '{"id": "a", "on": ["participant_joined"], "dispatch": {"agent": "a"}}'
    text = f'{{"version": 1, "rules": [{rule}]}}'
    assert one(ruleset(text), joined()).plans


def test_text_in_any_script_is_text():
    when = "when: {room: {metadata: {'名前': 'ñ*'}}}"
    loaded = rule(f"description: '客服 ☎'\n{when}\ndispatch: {{agent: '客服'}}")
    event = joined(room={"metadata": {"名前": "ñandú"}})
    assert one(loaded, event).plans[0].agent == "客服"


def test_a_line_break_that_not_every_program_knows_is_refused_where_it_stands():
    for character, code in (("\x85", "0085"), ("\u2028", "2028"), ("\u2029", "2029")):
        (problem,) = problems(f"version: 1\nrules: [{character}]")
        assert (problem.line, problem.column) == (2, 9)
        assert problem.message == (
            f"not valid YAML: U+{code} ends a line for some programs and not for others:"
            f' leave it out, or write "\\u{code}"'
        )

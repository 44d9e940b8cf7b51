"""`tables`: values by name that the rules of all files share."""

from __future__ import annotations

import pytest

from rules.files import RuleFile
from rules.loader import load_files
from rules.problems import RuleErrors
from tests.rules.given import decided, errors, joined, one

NUMBERS = """
version: 1
tables:
  numbers:
    "+34910000001": {agent: sales, lang: es, tags: [a, b]}
    "+34910000002": {agent: repairs, lang: null}
"""
BY_NUMBER = """
version: 1
rules:
  - id: by-number
    on: participant_joined
    when: {participant: {attributes: {to: {in: {table: numbers}}}}}
    dispatch:
      agent: "{{ tables.numbers[participant.attributes.to].agent }}"
      metadata: {lang: "{{ tables.numbers[participant.attributes.to].lang }}"}
"""


def calls(number: str):
    return joined(participant={"attributes": {"to": number}})


def loaded(*texts: str):
    return load_files([RuleFile(f"{n}.yaml", text) for n, text in enumerate(texts)])


@pytest.mark.parametrize("texts", [(NUMBERS, BY_NUMBER), (BY_NUMBER, NUMBERS)])
def test_a_file_may_hold_tables_alone_and_every_file_sees_them(texts):
    (plan,) = one(loaded(*texts), calls("+34910000001")).plans
    assert (plan.agent, plan.metadata) == ("sales", '{"lang":"es"}')


def test_in_a_table_means_among_its_keys():
    decision = one(loaded(NUMBERS, BY_NUMBER), calls("+34910000009"))
    assert decision.at == "when.participant.attributes.to"
    assert decision.detail == "expected a key of the table numbers; got '+34910000009'"


def test_what_a_table_does_not_say_is_absent():
    (decision,) = decided(loaded(NUMBERS, BY_NUMBER), calls("+34910000002"))
    assert (decision.reason, decision.at) == ("template_error", "dispatch.metadata.lang")
    assert "lang' is absent" in decision.detail


def test_a_tables_hash_counts():
    changed = NUMBERS.replace("sales", "support")
    assert loaded(NUMBERS, BY_NUMBER).hash != loaded(changed, BY_NUMBER).hash


def test_a_table_is_taken_once_over_all_files():
    with pytest.raises(RuleErrors) as caught:
        loaded(NUMBERS, NUMBERS, BY_NUMBER)
    assert str(caught.value) == (
        "1.yaml:4:3: error: the table 'numbers' is taken: by that at 0.yaml:4:3"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tables: []", "'tables' takes a mapping of tables by name"),
        ("tables: {numbers: [a]}", "the table 'numbers' is a mapping of keys to values"),
        (
            "tables: {a-b: {}}",
            "such as numbers, and is none of get",
        ),
        (
            "tables: {items: {}}",
            "such as numbers, and is none of get",
        ),
        ("tables: {n: {1: a}}", "the key 1 is not text: quote it"),
    ],
)
def test_tables_of_another_shape(text, said):
    (error,) = errors(f"version: 1\n{text}\nrules: []")
    assert said in error


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            "when: {room: {name: {in: {table: nubers}}}}, dispatch: {agent: a}",
            "there is no table 'nubers', did you mean 'numbers'?",
        ),
        (
            "when: {room: {name: {in: {table: elsewhere}}}}, dispatch: {agent: a}",
            "there is no table 'elsewhere' in the files given",
        ),
        (
            "when: {room: {name: {in: {tables: numbers}}}}, dispatch: {agent: a}",
            "'in' takes a list of constants, or {table: its name}",
        ),
        (
            "dispatch: {agent: '{{ tables.nubers.x }}'}",
            "there is no table 'nubers', did you mean 'numbers'?, in a template",
        ),
    ],
)
def test_a_table_that_is_not_there_is_an_error_when_loaded(rule, said):
    (error,) = errors(f"{NUMBERS}rules:\n  - {{id: r, on: participant_joined, {rule}}}")
    assert error.endswith(said)


def test_two_hundred_numbers():
    entries = "".join(f'    "+3491{n:07}": {{agent: agent-{n}, lang: es}}\n' for n in range(200))
    rules = loaded(f"version: 1\ntables:\n  numbers:\n{entries}", BY_NUMBER)
    for n in (0, 99, 199):
        (plan,) = one(rules, calls(f"+3491{n:07}")).plans
        assert plan.agent == f"agent-{n}"


def test_a_table_is_named_as_one():
    told = "'in' takes a list of constants: for the keys of a table write {table: t}"
    rule = "{id: r, on: room_started, when: {room: {name: {in: t}}}, dispatch: {agent: a}}"
    text = f"version: 1\ntables: {{t: {{a: 1}}}}\nrules: [{rule}]"
    assert errors(text) == [f"3:60: {told}"]


def test_a_number_as_a_key_is_told_as_it_is_written():
    assert errors("version: 1\ntables: {t: {+34910000001: a}}") == [
        "2:14: the key +34910000001 is not text: quote it"
    ]

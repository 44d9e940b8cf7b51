"""Templates that only read fields are understood without Jinja as Jinja understands them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.names import TEMPLATE_NAMES
from rules.template_reads import only_reads
from rules.templates import (
    _compiled,
    _of_any_kind,
    _only_reading,
    _parsed,
    _undeclared,
    compile_template,
)

pieces = st.sampled_from(
    [
        "{{",
        "}}",
        "{{ ",
        " }}",
        "{",
        "}",
        "{%",
        "%}",
        "{#",
        "room",
        "participant",
        "tables",
        ".name",
        ".metadata",
        ".x",
        ".nam",
        ".items",
        ".if",
        "room.name",
        "room.metadata.a.b",
        "tables.plans",
        "not",
        "true",
        "self",
        "range",
        " | default('é')",
        "|default('{{')",
        " | upper",
        " | tojson",
        " ",
        "\n",
        "-",
        "é",
        "'",
        "text",
        "{{ room.name }}",
        "{{ tables.plans.a }}",
        "{{ room }}",
        " | default('')",
        "{{ participant.identity | default('a\"b') }}",
        ".",
        "[0]",
        "..",
    ]
)
sources = st.lists(pieces, max_size=8).map("".join)


def understood(understand, source):
    try:
        found = understand(source)
    except ValueError as error:
        return str(error)
    return found and (found.constant, found.names, found.tables, found.is_json)


@settings(max_examples=600)
@given(source=sources)
@example(source="{{ room.name }} {{{ room.name }}")
@example(source="{{ room.name | default('}}') }}")
def test_it_is_understood_as_by_jinja(source):
    quickly = understood(_only_reading, source)
    if quickly is not None:
        assert quickly == understood(_of_any_kind, source)


@given(source=sources.filter(lambda source: "{{" in source))
def test_what_loads_compiles_when_it_is_rendered(source):
    try:
        template = compile_template(source)
    except ValueError:
        return
    assert template.constant is None
    assert template.compiled or _compiled(source)
    assert template.names == _undeclared(_parsed(source)) & TEMPLATE_NAMES.fields.keys()


@pytest.mark.parametrize(
    "source",
    [
        "{{ room.name }}",
        "{{room.name}}",
        "a {{ room.name }} {b} {{ participant.identity }}",
        "{{ room.metadata.tenant.id | default('t1') }}",
        "{{ tables.plans.gold }}\n",
        "{{ room }}}}",
    ],
)
def test_the_usual_ones_need_no_jinja_to_load(source):
    assert only_reads(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ room.name | upper }}",
        "{{- room.name }}",
        "{{ room['name'] }}",
        "{{ 'a' }}",
        "{% if a %}",
        "{{ room.name",
        "{# a #}",
        "{{ room. name }}",
        "{{ a.b() }}",
        "{{ a | default('\\'') }}",
        "{{ " + ".".join("a" * 40) + " }}",
    ],
)
def test_others_are_left_to_jinja(source):
    assert only_reads(source) is None

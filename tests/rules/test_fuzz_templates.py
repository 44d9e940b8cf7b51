"""Templates that reach for Python's internals, or for all of the processor, get neither.

What a template reads is watched: whatever it says, a dot or a bracket yields data or one of the
harmless methods, never a class, a module, or something that leads there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, time, timedelta
from types import BuiltinMethodType, FunctionType, MethodType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import Undefined
from jinja2.runtime import LoopContext

from rules import templates
from rules.problems import RuleErrors
from rules.template_values import Fields
from tests.rules.given import joined, one, rule
from tests.rules.made import in_time, long

DATA = (
    str,
    int,
    float,
    list,
    tuple,
    dict,
    range,
    Fields,
    Mapping,
    date,
    time,
    timedelta,
    Undefined,
)
METHODS = (BuiltinMethodType, MethodType, FunctionType)
OF_PYTHON = re.compile(
    r"<class |<function |<module |<built-in |<bound |<generator |<jinja2|<code |<frame | at 0x|"
    r"mappingproxy|<method|__main__|site-packages"
)
INSIDE = (
    "__class__", "__mro__", "__subclasses__", "__globals__", "__init__", "__builtins__", "__dict__",
    "__self__", "__func__", "__code__", "__call__", "__getattribute__", "__reduce__", "__doc__",
    "__module__", "mro", "func_globals", "gi_frame", "gi_code", "cr_frame", "f_globals", "tb_frame",
    "_undefined_name", "_fail_with_undefined_error", "plain", "path", "fields", "read", "below",
    "environment", "eval_ctx", "parent", "blocks", "exported_vars", "name", "tzinfo",
    "format", "format_map", "encode", "translate", "maketrans", "join", "replace", "center",
    "ljust", "expandtabs", "append", "update", "pop", "items", "get", "keys", "values", "copy",
    "real", "from_bytes", "as_integer_ratio", "strftime", "now", "fromtimestamp", "cycle",
    "iterable", "utctimetuple", "zfill",
)  # fmt: skip
inside = st.sampled_from(INSIDE)
names = st.sampled_from(
    ["room", "participant", "event", "rule", "now", "tables", "humans", "agents", "participants",
     "range", "room.metadata", "participant.attributes", "participant.permission", "project",
     "self", "loop", "namespace", "lipsum", "cycler", "joiner", "dict", "config", "request", "x",
     "none", "true", "caller", "varargs", "context", "environment", "_", "__builtins__"]
)  # fmt: skip
filters = st.sampled_from(
    [*sorted(templates._ENVIRONMENT.filters.keys() - {"counted"}), "attr", "format", "pprint"]
)  # fmt: skip
constants = st.sampled_from(
    ["''", "'a'", "'{0.__class__}'", "'%s'", "1", "-1", "1.5", "[]", "{}", "()", "['a', 1]",
     "{'a': 1}", "(1, 'a')", "10**9", "'a'*1000000", "range(100000)", "'x'*999*999", "[[[]]]",
     "1e308", "'%A'*9999", "0"]
)  # fmt: skip
texts = inside.map(lambda word: f"'{word}'") | inside.map(
    lambda word: f"'{word[:3]}' ~ '{word[3:]}'"
)


def further(inner):
    both = st.tuples(inner, inner)
    return st.one_of(
        st.builds(lambda e, a: f"{e}.{a}", inner, inside),
        st.builds(lambda e, t: f"{e}[{t}]", inner, texts | inner),
        st.builds(lambda e, t: f"({e} | attr({t}))", inner, texts),
        st.builds(lambda e, f: f"({e} | {f})", inner, filters),
        st.builds(lambda e, f, a: f"({e} | {f}({a}))", inner, filters, inner | texts),
        st.builds(lambda e, a: f"({e} | map(attribute={a}) | list)", inner, texts),
        st.builds(lambda e, a, d: f"({e} | map(attribute={a}, default={d}))", inner, texts, inner),
        st.builds(lambda e, f: f"({e} | map('{f}'))", inner, filters),
        st.builds(lambda e, a: f"({e} | {a} | first)", inner, st.sampled_from(["sort", "list"])),
        st.builds(lambda e, a: f"({e} | selectattr({a}) | list)", inner, texts),
        st.builds(lambda e, k, a: f"({e} | {k}(attribute={a}))", inner,
                  st.sampled_from(["sort", "sum", "min", "max", "unique", "join"]), texts),
        inner.map(lambda e: f"{e}()"),
        st.builds(lambda e, a: f"{e}({a})", inner, inner | texts),
        st.builds(lambda e, a, b: f"{e}.{a}({b})", inner, inside, inner),
        inner.map(lambda e: f"{e}[1:]"),
        both.map(lambda two: f"({two[0]} ~ {two[1]})"),
        both.map(lambda two: f"({two[0]} + {two[1]})"),
        both.map(lambda two: f"({two[0]} * {two[1]})"),
        both.map(lambda two: f"({two[0]} % {two[1]})"),
        both.map(lambda two: f"({two[0]} in {two[1]})"),
        both.map(lambda two: f"[{two[0]}, {two[1]}]"),
        both.map(lambda two: f"{{'k': {two[0]}, 'l': {two[1]}}}"),
        both.map(lambda two: f"({two[0]} if {two[1]} else {two[0]})"),
    )  # fmt: skip


values = st.recursive(names | constants, further, max_leaves=7)
outputs = values.map(lambda value: f"{{{{ {value} }}}}")
statements = st.recursive(
    outputs,
    lambda inner: st.one_of(
        st.builds(lambda v, i: f"{{% set x = {v} %}}{i}", values, inner),
        st.builds(lambda v, i: f"{{% for x in {v} %}}{i}{{{{ loop.index }}}}{{% endfor %}}", values,
                  inner),
        st.builds(lambda a, i: f"{{% for x in range(9) %}}{{{{ loop.{a} }}}}{i}{{% endfor %}}",
                  inside, inner),
        st.builds(lambda v, i: f"{{% if {v} %}}{i}{{% endif %}}", values, inner),
        st.builds(lambda n, i: "{% set x = [x, x] %}" * n + i, st.integers(1, 60), inner),
    ),
    max_leaves=3,
)  # fmt: skip
EVENT = joined(
    room={"metadata": {"a": {"b": [1, None, {"c": "x"}]}, "__class__": "data", "l": [*range(50)]}},
    participant={"attributes": {"x.y": "1", "items": "2", "__class__": "3"}},
    created_at=1_770_000_000,
)  # fmt: skip


def harmless(found):
    if isinstance(found, METHODS):
        of = getattr(found, "__self__", None)
        return isinstance(of, (*DATA, LoopContext)) or found.__name__ == "replace"
    return found is None or isinstance(found, (*DATA, LoopContext))


@pytest.fixture(scope="module", autouse=True)
def _watched():
    """Look at everything that a dot or a bracket in a template yields."""
    environment = templates._ENVIRONMENT
    read = {"getattr": environment.getattr, "getitem": environment.getitem}

    def watching(name):
        def watch(obj, argument):
            found = read[name](obj, argument)
            if not harmless(found):
                REACHED.append((obj, argument, found))
            return found

        return watch

    for name in read:
        setattr(environment, name, watching(name))
    yield
    for name in read:
        delattr(environment, name)


REACHED = []


def rendered(template):
    """What it renders to, or what is said of it; None if the file does not load."""
    REACHED.clear()
    body = f"dispatch: {{agent: a, metadata: {json.dumps(template)}}}"
    said = None
    with in_time(), suppress(RuleErrors):
        decision = one(rule(body), EVENT)
        said = decision.plans[0].metadata if decision.plans else decision.detail
    assert REACHED == []
    return said


@long(500)
@given(statements)
@example("{{ (''|attr('__class__')) }}")
@example("{{ ['a']|map(attribute='__class__')|list }}")
@example("{{ ('{0.__class__.__mro__}').format(room) }}")
@example("{{ ('{0.__class__}' | format(room)) }}")
@example("{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}")
@example("{% for x in [1] %}{{ loop['__init__']['__globals__'] }}{% endfor %}")
@example("{{ [range]|map(attribute='__self__')|list }}")
@example("{{ [room.get]|map(attribute='__func__')|list }}")
@example("{{ [''.replace, now.strftime] | map(attribute='__globals__') | list }}")
@example("{{ [room] | groupby('__class__') }}")
@example("{{ [room.get, range] }}")
@example("{{ {'a': room.items} }}")
@example("{{ room[[] | unique] }}")
@example("{{ ''[[] | unique][1:] }}")
@example("{{ [room, {'a': room}] }}")
def test_no_template_says_or_reaches_what_python_is_made_of(template):
    said = rendered(template)
    assert said is None or not OF_PYTHON.search(said), said


NESTED = "{% set a = ('x', 1) %}" + "{% set a = (a, a) %}" * 60
TWINS = "{% set a = ['x'] %}{% set b = ['x'] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 60


@pytest.mark.parametrize(
    "template",
    [
        NESTED + "{{ a }}", NESTED + "{{ a ~ '' }}", NESTED + "{{ a | string }}",
        NESTED + "{{ [a] | join }}", NESTED + "{{ [a] | unique | list | length }}",
        NESTED + "{{ {a: 1} | length }}", TWINS + "{{ a == b }}", TWINS + "{{ a in [b] }}",
        TWINS + "{{ a is eq(b) }}", TWINS + "{{ [a, b] | max | length }}",
        "{% set a = {'k': 'x'} %}" + "{% set a = {'k': a, 'l': a} %}" * 60 + "{{ a | tojson }}",
        "{% set s = 'x' * 1000000 %}{{ [" + "s, " * 9_000 + "] | string | length }}",
        "{{ ('\u00e9' * 10) " + "| list | string" * 25 + " }}",
        "{% set x = 'a' * 10 %}{{ x " + "| list | string" * 25 + " }}",
        "{{ range(1000) | map(attribute='x', default=range(100000) | list) | list | string }}",
        "{% for a in range(9999) %}{% set x = range(100000) | sum %}{% endfor %}",
        "{% for a in range(9999) %}{% set x = range(100000) | sort(reverse=true) %}{% endfor %}",
        "{% set s = 'x y' * 300000 %}{% for a in range(9999) %}{% set x = s | title %}{% endfor %}",
        "{% set s = 'x y' * 300000 %}{% for a in range(9999) %}{% set x = s.split() %}{% endfor %}",
        "{% set s = 'x y' * 300000 %}{% for a in range(9999) %}{% set x = s[1:] %}{% endfor %}",
        "{% set s = 'x y' * 300000 %}{% for a in range(9999) %}{% set x = 'z' in s %}{% endfor %}",
        "{% set r = range(99999) | list %}{% for a in range(999) %}{% set x = r[1:] %}{% endfor %}",
        "{{ range(100000) " + "| select " * 50 + "| list | length }}",
        "{{ range(100000) " + "| map('abs') " * 50 + "| list | length }}",
        "{{ range(100000) " + "| map(attribute='real', default=1) " * 50 + "| list | length }}",
        "{% set s = 'a' * 500000 %}{{ s.find('a' * 250000 ~ 'b' ~ 'a' * 249000) }}",
    ],
)  # fmt: skip
def test_work_that_multiplies_is_stopped(template):
    rendered(template)


@pytest.mark.parametrize(
    "template",
    ["{{ " + "(" * 20_000 + "1", "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
     "{{ 1" + " + 1" * 9_000 + " }}", "{{ " + "not " * 9_000 + "1 }}", "{{ -" * 20_000,
     "{{ room" + ".a" * 20_000 + " }}", "{{ room.metadata" + "['a']" * 9_000 + " }}",
     "{% if 1 %}" * 6_000, "{% for a in [1] %}" * 3_000 + "{% endfor %}" * 3_000,
     "{{ 1 " + "| abs" * 9_000 + " }}", "{{ rule " + "| trim" * 190 + " }}",
     "{{ " + "[" * 9_000 + "]" * 9_000 + " }}"],
)  # fmt: skip
def test_a_template_that_is_nested_very_deeply_is_an_error_or_rendered(template):
    said = rendered(template)
    assert said is None or not OF_PYTHON.search(said), said

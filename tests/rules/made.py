"""Rule files, events and texts that hypothesis makes: right ones, nearly right ones, and any.

`long(300)` are settings for so many examples; FUZZ=50 in the environment makes it fifty times as
many:

    FUZZ=50 python -m pytest tests/rules/test_fuzz_*.py --timeout=0
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from rules.decision import RestartPolicy
from rules.event import EventName
from rules.names import CONDITION_NAMES, KINDS
from rules.operators import OPERATORS
from rules.rule_fields import RULE_KEYS
from tests.recorded import recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = Path(__file__).parents[2] / "rules"
MOST_SECONDS = 20.0
"""Of the processor, for one thing of a few kilobytes: something is wrong beyond, not just slow."""


def long(examples: int) -> settings:
    """Settings for so many examples, or for many more."""
    times = int(os.environ.get("FUZZ", "1"))
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=examples * times,
        deadline=None,
        suppress_health_check=checks,
        phases=[phase for phase in Phase if phase is not Phase.explain],  # it takes minutes
    )


@contextmanager
def in_time() -> Iterator[None]:
    """Fail if what is done takes the processor far longer than anything should."""
    began = time.thread_time()
    yield
    spent = time.thread_time() - began
    assert spent < MOST_SECONDS, f"it takes {spent:.1f} s"


words = st.sampled_from(
    ["es", "a", "support-1", "ana", "SIP", "AGENT", "x.y", "", "é", "*", "a*b", "0", "true", "null"]
)
texts = words | st.text(max_size=6)
numbers = st.integers(-2, 70_000) | st.floats() | st.sampled_from([2**63, -(2**63), 10**30, 1e300])
leaves = st.none() | st.booleans() | numbers | texts
field_names = st.sampled_from(
    sorted({part for name in CONDITION_NAMES.fields.values() for part in name.fields})
)
any_json = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(field_names | texts, inner, max_size=3)
    ),
    max_leaves=8,
)
"""Any JSON, with names of the protocol among its keys."""

templates = st.sampled_from(
    [
        "greeter", "{{ participant.identity }}", "{{ room.metadata.lang }}", "{{ rule }}",
        "{{ room.metadata.lang | default('en') }}", "{{ humans[0] }}",
        "{{ participants | tojson }}",
        "{{ participant.attributes['x.y'] }}", "{{ room.metadata.a.b | default([]) | tojson }}",
        "{% for p in participants %}{{ p.identity }}{% endfor %}", "{{ now.isoformat() }}",
        "{{ tables.t[room.name] | default('-') }}", "{{ room | tojson }}",
        "{{ event }}-{{ source }}",
        "{{ track.name }}", "{{ egress_info.status }}", "{{ ingress_info.state.status }}",
        "{{ room.metadata | upper }}", "{{ participant.attributes | dictsort | first | first }}",
    ]
)  # fmt: skip
expressions = st.sampled_from(
    [
        "participant.attributes.lang != room.metadata.lang", "size(humans) > 1", "true", "1 == 1",
        'participants.exists(p, p.kind == "SIP")', 'room.name.matches("a.*")',
        "room.max_participants > 3", "has(room.metadata.x)", "room.metadata.a[0] == 1",
        'participant.attributes["x.y"] in ["a", "es"]', "room.metadata.lang", "agents.size() == 0",
        "track.muted || room.metadata.x.y == null", "participant.joined_at + 1 > 0",
    ]
)  # fmt: skip
durations = st.sampled_from(["250ms", "10s", "5m", "2h", "7d"])
schedules = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(["Europe/Madrid", "UTC", "America/St_Johns", "Asia/Tokyo"]),
        "days": st.lists(st.sampled_from(["mon-fri", "sat-mon", "sun"]), min_size=1, max_size=2),
        "hours": st.lists(st.sampled_from(["09:00-14:00", "22:00-06:00"]), min_size=1, max_size=2),
        "except": st.just(["2026-12-25", "2026-08-01..2026-08-15"]),
    },
).filter(bool)
text_values = st.recursive(
    texts
    | st.builds(lambda k, v: {k: v}, st.sampled_from(["prefix", "contains", "equals"]), texts)
    | st.builds(lambda v: {"glob": v}, texts)
    | st.builds(lambda v: {"regex": v}, st.sampled_from(["a.*", "(a|b)+", "\\d{1,9}", "(?i)x"]))
    | st.builds(lambda v: {"exists": v}, st.booleans())
    | st.just({"in": {"table": "t"}}),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2) | st.builds(lambda v: {"not": v}, inner)
    ),
    max_leaves=3,
)  # fmt: skip
number_values = st.integers(0, 9) | st.builds(
    lambda k, v: {k: v}, st.sampled_from(["gt", "gte", "lt", "lte"]), st.integers(-1, 9)
)
json_values = st.recursive(
    text_values | number_values | st.booleans(),
    lambda inner: st.dictionaries(st.sampled_from(["lang", "a", "b"]), inner, min_size=1),
    max_leaves=3,
)
metadata_values = texts | st.dictionaries(st.sampled_from(["lang", "a"]), json_values, min_size=1)
participant_fields = st.fixed_dictionaries(
    {},
    optional={
        "identity": text_values,
        "kind": st.sampled_from(KINDS.constants),
        "metadata": metadata_values,
        "attributes": st.dictionaries(st.sampled_from(["lang", "x.y"]), text_values, min_size=1),
        "joined_at": number_values,
        "is_publisher": st.booleans(),
        "permission": st.just({"can_publish": True, "can_publish_sources": "MICROPHONE"}),
    },
).filter(bool)
presence = st.fixed_dictionaries(
    {},
    optional={
        "humans": number_values | texts.filter(bool),
        "agents": number_values | st.just(["greeter", "a*"]),
        "participants": participant_fields,
    },
).filter(bool)
fields = st.fixed_dictionaries(
    {},
    optional={
        "room": st.fixed_dictionaries(
            {},
            optional={
                "name": text_values,
                "metadata": metadata_values,
                "max_participants": number_values,
            },
        ).filter(bool),
        "participant": participant_fields,
        "track": st.just({"source": ["MICROPHONE", "CAMERA"], "muted": False}),
        "egress_info": st.just({"status": "EGRESS_ACTIVE", "file": {"filename": "*"}}),
        "ingress_info": st.just({"state": {"status": {"exists": True}}}),
        "project": text_values,
        "humans": number_values,
        "participants": participant_fields,
    },
).filter(bool)
conditions = st.recursive(
    fields,
    lambda inner: (
        st.builds(lambda v: {"not": v}, inner)
        | st.builds(
            lambda k, v: {k: v},
            st.sampled_from(["any", "all"]),
            st.lists(inner, min_size=1, max_size=2),
        )
    ),
    max_leaves=3,
)
metadata = st.recursive(
    templates | st.integers(0, 9) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
).filter(lambda value: isinstance(value, dict | list | str))
mappings = metadata.filter(lambda value: isinstance(value, dict))
dispatches = st.fixed_dictionaries(
    {"agent": templates},
    optional={
        "deployment": st.sampled_from(["", "staging"])
        | st.just({"weights": {"": 90, "staging": 10}}),
        "metadata": metadata,
        "attributes": st.dictionaries(texts, templates, max_size=2),
        "restart_policy": st.sampled_from([str(policy) for policy in RestartPolicy]),
        "provider": st.just("livekit"),
    },
)
ladders = st.fixed_dictionaries(
    {},
    optional={
        "join_within": durations,
        "fallback": st.builds(
            lambda rungs, last: [*rungs, *last] or [{"agent": "b"}],
            st.sampled_from([[], [{"agent": "voicemail", "join_within": "20s"}]]),
            st.just([])
            | st.builds(lambda m, d: [{"notify": {"message": m, "data": d}}], templates, mappings)
            | st.builds(lambda m: [{"notify": {"message": m}}], templates),
        ),
        "release": st.sampled_from(["never", "last_human_left"])
        | st.builds(lambda c, d: {"when": c, "after": d}, presence, durations),
    },
)
events_named = st.lists(
    st.sampled_from([str(name) for name in EventName]), min_size=1, max_size=4, unique=True
)


def with_ids(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each under an id of its own."""
    return [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]


rule_bodies = st.builds(
    lambda body, dispatch, ladder: (
        {**body, "dispatch": [{**each, **ladder} for each in dispatch]}
        if isinstance(dispatch, list)
        else {**body, "dispatch": dispatch, **ladder}
    ),
    st.fixed_dictionaries(
        {"on": events_named},
        optional={
            "description": texts,
            "enabled": st.booleans(),
            "when": conditions,
            "unless": conditions,
            "if": expressions,
            "schedule": schedules | st.lists(schedules, min_size=1, max_size=2),
            "once": st.sampled_from(["room", "event"]),
            "again": st.sampled_from(["when_gone", "never"]),
            "limit": st.just({"active": 2, "per": "{{ room.name }}"}) | st.just({"active": 1}),
            "after": durations,
            "shadow": st.booleans(),
        },
    ),
    dispatches | st.lists(dispatches, min_size=1, max_size=2),
    ladders,
)
"""Rules that load, most of them."""

rule_files = st.builds(
    lambda rules, more: {"version": 1, **more, "rules": with_ids(rules)},
    st.lists(rule_bodies, min_size=1, max_size=3),
    st.fixed_dictionaries(
        {"tables": st.just({"t": {"support-1": "x", "a": {"k": 1}}})},
        optional={
            "defaults": st.just({"join_within": "15s"}),
            "x-any": any_json,
        },
    ),
)
"""Rule files that load, most of them, as trees."""


def paths(tree: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a tree are."""
    yield above
    items = tree.items() if isinstance(tree, dict) else ()
    for key, inner in enumerate(tree) if isinstance(tree, list) else items:
        yield from paths(inner, (*above, key))


OUT = object()


def changed(tree: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with something else at a path, or with what is there taken OUT."""
    if not path:
        return None if new is OUT else new
    key, *rest = path
    is_out = new is OUT and not rest
    inner = None if is_out else changed(tree[key], tuple(rest), new)
    if isinstance(tree, dict):
        return {k: inner if k == key else v for k, v in tree.items() if not (is_out and k == key)}
    return [*tree[:key], *([] if is_out else [inner]), *tree[key + 1 :]]


@st.composite
def mutated(draw: Any, trees: Any, values: Any, keys: Any) -> Any:
    """Trees with some values replaced, taken out, doubled, moved, wrapped, or called otherwise."""
    tree = draw(trees)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(paths(tree))))
        old, new = at(tree, path), draw(values)
        match draw(st.sampled_from(["value", "out", "double", "move", "wrap", "key"])):
            case "out":
                new = OUT
            case "double":
                new = [old, old]
            case "move":
                new = at(tree, draw(st.sampled_from(list(paths(tree)))))
            case "wrap":
                new = {draw(keys): old}
            case "key" if isinstance(old, dict):
                new = {**old, draw(keys): new}
        tree = changed(tree, path, new)
    return tree


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    """What is at a path."""
    for key in path:
        tree = tree[key]
    return tree


keys = st.sampled_from(
    [*RULE_KEYS, *OPERATORS, *CONDITION_NAMES.fields, "any", "all", "field", "active", "per",
     "provider", "version", "weights", "sticky", "agent", "deployment", "tables", "defaults", "<<"]
) | texts  # fmt: skip
nearly_rule_files = mutated(rule_files, any_json | conditions | templates, keys)
"""Trees of rule files in which something is wrong, most of them."""


def block(tree: Any, indent: int = 0) -> str:
    """A tree as YAML in its usual form, most of it over several lines."""
    space = "  " * indent
    if isinstance(tree, dict) and tree and indent < 20:
        return "".join(f"\n{space}{json.dumps(k)}: {block(v, indent + 1)}" for k, v in tree.items())
    if isinstance(tree, list) and tree and indent < 20:
        return "".join(f"\n{space}- {block(item, indent + 1)}" for item in tree)
    return json.dumps(tree)


@cache
def written_files() -> tuple[str, ...]:
    """The rule files of the examples, of the language's reference, and one with all in it."""
    files = sorted((RULES / "examples").glob("*.yaml"))
    left_out = (".test.yaml", "dialled.yaml")  # the latter's table is in a file of its own
    examples = [path.read_text() for path in files if not path.name.endswith(left_out)]
    blocks = re.findall(r"```yaml\n(.*?)```", (RULES / "LANGUAGE.md").read_text(), re.DOTALL)
    return (*examples, *(text for text in blocks if text.startswith("version:")), EVERYTHING)


pieces = st.sampled_from(
    ["\n", "  ", "- ", ": ", "*base", "&base ", "<<: *base\n", "<<: [*base, *x]", "{", "}", "[",
     "]", "'", '"', "|\n", ">-\n", "!!str ", "!x ", "? ", "#", "%YAML 1.1\n", "---\n", "...\n",
     "\t", ",", "{{", "}}", "null", "~", "true", "7", "1e999", "\x85", "\u2028", "\ufeff", "\x07",
     "\\", "\r", "not: ", "any: ", "when: ", "if: ", "room: ", "on: room_started\n", "'*'", "é"]
) | st.text(max_size=3)  # fmt: skip


@st.composite
def mutated_texts(draw: Any) -> str:
    """A written rule file to which somebody has come with a cat on the keyboard."""
    text = draw(st.sampled_from(written_files()))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 1, 1, 2, 5, 20]))
        how = draw(st.sampled_from(["delete", "insert", "twice", "swap", "line", "lines", "move"]))
        lines = text.split("\n")
        number = text.count("\n", 0, begin)
        match how:
            case "delete":
                text = text[:begin] + text[begin + length :]
            case "insert":
                text = text[:begin] + draw(pieces) + text[begin + length :]
            case "twice":
                text = text[: begin + length] + text[begin:]
            case "swap":
                end = begin + length
                text = text[:begin] + text[end : end + 1] + text[begin:end] + text[end + 1 :]
            case "line":
                text = "\n".join(lines[:number] + lines[number + 1 :])
            case "lines":
                text = "\n".join(lines[: number + 1] + lines[number:])
            case "move":
                lines[number] = draw(st.sampled_from(["  ", " ", "    "])) + lines[number]
                text = "\n".join(lines)
    return text


EVERYTHING = r"""version: 1
defaults: {join_within: 15s, dispatch: {metadata: {line: a}, restart_policy: never}}
tables:
  numbers: {"+34910000001": {agent: sales, lang: es}}
x-vip: &vip {room: {metadata: {tier: gold}}}
rules:
  - &base
    id: support-es
    description: Spanish-speaking support
    on: [participant_joined]
    when:
      <<: *vip
      room: {name: "support-*", metadata: {lang: [es, ca], tier: {not: free}}}
      participant: {kind: [STANDARD, SIP], attributes: {sip.to: {in: {table: numbers}}}}
      participants: {identity: "op-*"}
      humans: {gte: 1}
    unless: {participant: {attributes: {do-not-record: "true"}}}
    if: participant.attributes.lang != room.metadata.lang
    schedule: {timezone: Europe/Madrid, hours: ["09:00-14:00"], except: ["2026-12-25"]}
    once: room
    again: when_gone
    group: support
    limit: {active: 20, per: "{{ room.metadata.tenant }}"}
    after: 2s
    dispatch:
      agent: "greeter-{{ room.metadata.lang }}"
      deployment: {weights: {"": 90, staging: 10}, sticky: room}
      metadata: {customer: "{{ participant.identity }}", n: "{{ room.metadata.n | tojson }}"}
      attributes: {source: rules}
      restart_policy: on_failure
      provider: livekit
    fallback:
      - {deployment: ""}
      - {agent: voicemail, join_within: 20s}
      - {notify: {message: "no agent for {{ room.name }}", data: {a: "{{ rule }}"}}}
    release: {when: last_human_left, after: 30s}
  - <<: *base
    id: other
    on: [room_changed, participant_changed, track_published]
    when: {any: [{track: {source: MICROPHONE}}, {not: {agents: [a, "b*"]}}], all: [*vip]}
    schedule: [{days: [sat-sun]}, {hours: ["22:00-06:00"]}]
    release: {when: {humans: {lt: 2}}, after: 1m}
"""


@cache
def bodies() -> tuple[dict[str, Any], ...]:
    """Webhooks as LiveKit sends them: the recorded ones, and what was not recorded by hand."""
    return (
        *(each.event for each in recorded()),
        {"event": "room_changed", "id": "EV_a", "room": {"sid": "RM_1", "name": "support-1"}},
        {
            "event": "participant_changed", "id": "EV_b", "createdAt": 1_770_000_000,
            "room": {"sid": "RM_1", "name": "support-1"},
            "participant": {"sid": "PA_1", "identity": "ana", "attributes": {"lang": "es"}},
        },
        {
            "event": "egress_started", "id": "EV_c",
            "egressInfo": {"egressId": "EG_1", "roomId": "RM_1", "roomName": "support-1",
                           "status": "EGRESS_ACTIVE", "startedAt": "1770000000000000000",
                           "file": {"filename": "a.mp4"}},
        },
        {
            "event": "ingress_started", "id": "EV_d",
            "ingressInfo": {"ingressId": "IN_1", "roomName": "support-1", "streamKey": "s3cret",
                            "state": {"status": "ENDPOINT_PUBLISHING", "roomId": "RM_1"}},
        },
    )  # fmt: skip

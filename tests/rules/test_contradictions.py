"""Conditions that nothing can fulfil, and rules that no event can match, are warned of."""

from __future__ import annotations

import pytest

from tests.rules.given import rule

UNLESS = "the rule never matches: 'unless' holds whenever 'when' does"


def warned(body):
    found = rule(body).warnings
    return [f"{each.line}:{each.column}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        (
            "{room: {max_participants: {gte: 5, lt: 3}}}",
            "3:46: 'room.max_participants' never matches: no number fulfils 'gte: 5' and 'lt: 3'",
        ),
        (
            "{room: {max_participants: {lte: 3, gt: 3}}}",
            "3:46: 'room.max_participants' never matches: no number fulfils 'lte: 3' and 'gt: 3'",
        ),
        (
            "{room: {max_participants: {lt: 5, equals: 7}}}",
            "3:45: 'room.max_participants' never matches: nothing fulfils 'lt: 5' and 'equals: 7'",
        ),
        (
            "{room: {name: {exists: false, prefix: a}}}",
            "3:41: 'room.name' never matches: nothing fulfils 'exists: false' and 'prefix: a'",
        ),
        (
            "{room: {name: {exists: false, not: {exists: false}}}}",
            "3:41: 'room.name' never matches: nothing fulfils 'exists: false' and 'not'",
        ),
        (
            "{room: {name: {equals: ab, glob: 'a*a'}}}",
            "3:38: 'room.name' never matches: nothing fulfils 'equals: ab' and 'glob: a*a'",
        ),
        (
            "{room: {name: {equals: ab, regex: a}}}",
            "3:38: 'room.name' never matches: nothing fulfils 'equals: ab' and 'regex: a'",
        ),
        (
            "{room: {name: {equals: a, in: [b, c]}}}",
            "3:37: 'room.name' never matches: nothing fulfils 'equals: a' and 'in'",
        ),
        (
            "{room: {name: {equals_ignore_case: A, equals: b}}}",
            (
                "3:49: 'room.name' never matches: nothing fulfils 'equals_ignore_case: A'"
                " and 'equals: b'"
            ),
        ),
        (
            "{room: {name: {in: [ab, ba], not: '*'}}}",
            "3:40: 'room.name' never matches: nothing fulfils 'in' and 'not: *'",
        ),
        (
            "{room: {name: {in: [ab, ba], prefix: a, suffix: a}}}",
            "3:51: 'room.name' never matches: nothing fulfils 'in' and 'prefix: a' and 'suffix: a'",
        ),
        (
            "{room: {name: {prefix: a, not: {prefix: a}}}}",
            "3:37: 'room.name' never matches: nothing fulfils 'prefix: a' and 'not'",
        ),
        (
            "{participant: {attributes: {plan: {equals: pro, contains: free}}}}",
            (
                "3:59: 'participant.attributes.plan' never matches: nothing fulfils 'equals: pro'"
                " and 'contains: free'"
            ),
        ),
        (
            "{any: [{room: {sid: x}}, {room: {name: {equals: a, suffix: b}}}]}",
            "3:62: 'room.name' never matches: nothing fulfils 'equals: a' and 'suffix: b'",
        ),
        (
            "{room: {metadata: {age: {equals: 5, not: {gt: 3}}}}}",
            "3:47: 'room.metadata.age' never matches: nothing fulfils 'equals: 5' and 'not'",
        ),
        (
            "{room: {metadata: {age: {gte: 5, lt: 3}}}}",
            (
                "3:44: 'room.metadata.age' matches nothing but lists: no number fulfils 'gte: 5'"
                " and 'lt: 3'"
            ),
        ),
        (
            "{humans: {gt: 1, lt: 2}}",
            "3:28: 'humans' never matches: there is no such number of them",
        ),
        ("{humans: {lt: 0}}", "3:21: 'humans' never matches: there is no such number of them"),
        (
            "{agents: {prefix: a, equals: 0}}",
            "3:32: 'agents' never matches: there is no such number of them",
        ),
        (
            "{room: {name: a}, all: [{room: {name: b}}]}",
            (
                "3:43: 'room.name' never matches: nothing fulfils both this and what is asked at"
                " rules.yaml:3:19"
            ),
        ),
        (
            "{all: [{room: {name: 'b*'}}, {room: {name: [a, ab]}}]}",
            (
                "3:48: 'room.name' never matches: nothing fulfils both this and what is asked at"
                " rules.yaml:3:26"
            ),
        ),
        (
            "{event: 'room_*'}",
            "3:12: 'event' never matches: no event of 'on' fulfils it: participant_joined",
        ),
        (
            "{event: {not: participant_joined}}",
            "3:12: 'event' never matches: no event of 'on' fulfils it: participant_joined",
        ),
        (
            "{all: [{event: participant_left}]}",
            "3:19: 'event' never matches: no event of 'on' fulfils it: participant_joined",
        ),
        (
            "{participant: {kind: 'A*'}}",
            (
                "3:26: 'participant.kind' never matches: of the kinds known here it fits only"
                " AGENT, and the loop guard wants that to the letter"
            ),
        ),
        (
            "{participant: {kind: {not: [STANDARD, SIP, INGRESS, CONNECTOR, BRIDGE]}}}",
            (
                "3:26: 'participant.kind' never matches: of the kinds known here it fits only AGENT"
                " and EGRESS, and the loop guard wants that to the letter"
            ),
        ),
    ],
)
def test_what_nothing_fulfils_is_told(conditions, told):
    assert warned(f"when: {conditions}") == [told]


@pytest.mark.parametrize(
    "conditions",
    [
        "{room: {max_participants: {gte: 3, lte: 3}}}",
        "{room: {name: {exists: false, not: a}}}",
        "{room: {name: {in: [ab, ba], prefix: b, suffix: a}}}",
        "{room: {name: {equals: a, not: b}}}",
        "{room: {metadata: {tags: {equals: a, in: [b]}}}}",  # of a list with both
        "{room: {metadata: {tags: {equals: a, not: {not: b}}}}}",
        "{room: {metadata: {tags: a}}, all: [{room: {metadata: {tags: b}}}]}",
        "{humans: ana, all: [{humans: eva}]}",
        "{humans: {gte: 1, lte: 1}}",
        "{agents: {in: [0, x], lt: 1}}",
        "{participants: {identity: a}, all: [{participants: {identity: b}}]}",
        "{any: [{room: {name: a}}, {room: {name: b}}], not: {room: {name: a}}}",
        "{event: [participant_joined, room_started]}",
        "{participant: {kind: AGENT}}",
        "{participant: {kind: ['A*', AGENT]}}",
        "{participant: {kind: 'S*'}}",
        "{participant: {kind: {not: STANDARD}}}",
        "{participant: {kind: 'A*'}, any: [{participant: {kind: AGENT}}]}",
    ],
)
def test_what_something_may_fulfil_is_not(conditions):
    assert warned(f"when: {conditions}") == []


def test_kinds_left_over_where_there_may_be_no_participant_are_not_warned_of():
    left = "{participant: {kind: {not: [STANDARD, SIP, INGRESS, CONNECTOR, BRIDGE]}}}"
    assert not any("loop guard" in each for each in warned(f"on: room_started\nwhen: {left}"))


@pytest.mark.parametrize(
    ("conditions", "unless"),
    [
        ("{room: {name: a, sid: x}}", "{room: {name: a}}"),
        ("{room: {name: [ab, aa]}}", "{room: {name: 'a*'}}"),
        ("{room: {metadata: {lang: es}}}", "{room: {metadata: {lang: [es, ca]}}}"),
        ("{room: {metadata: {of: {a: 1, b: 2}}}}", "{all: [{room: {metadata: {of: {b: 2}}}}]}"),
        ("{participants: {identity: a, kind: SIP}}", "{participants: {identity: a}}"),
        ("{any: [{room: {name: a}}, {humans: 2}]}", "{any: [{room: {name: a}}, {humans: 2}]}"),
        ("{humans: {gte: 2, lt: 9}}", "{humans: {gte: 2}, event: participant_joined}"),
        ("{event: participant_joined}", "{event: {not: room_started}}"),
    ],
)
def test_an_exclusion_that_always_holds_is_told(conditions, unless):
    assert warned(f"when: {conditions}\nunless: {unless}") == [f"4:5: {UNLESS}"]


@pytest.mark.parametrize(
    ("conditions", "unless"),
    [
        ("{room: {name: a}}", "{room: {name: a, sid: x}}"),
        ("{room: {name: [ab, b]}}", "{room: {name: 'a*'}}"),
        ("{room: {metadata: {vip: 1}}}", "{room: {metadata: {vip: true}}}"),
        ("{room: {metadata: {lang: es}}}", "{room: {metadata: {lang: {not: ca}}}}"),
        ("{any: [{room: {name: a}}]}", "{room: {name: a}}"),
        ("{not: {room: {name: a, sid: b}}}", "{not: {room: {name: a}}}"),
        ("{room: {metadata: {field: {any: [{k: 1}]}}}}", "{room: {metadata: {any: [{k: 1}]}}}"),
        ("{all: [{participants: {kind: SIP}}, {participants: {identity: a}}]}",
         "{participants: {kind: SIP, identity: a}}"),
    ],
)  # fmt: skip
def test_an_exclusion_that_may_not_hold_is_not(conditions, unless):
    assert UNLESS not in "\n".join(warned(f"when: {conditions}\nunless: {unless}"))


def test_an_exclusion_of_every_event_of_on_is_told():
    body = "on: [room_started, room_changed]\nunless: {event: 'room_*'}"
    assert warned(body) == [f"4:5: {UNLESS}"]

"""`rules diff`, and `rules explain` of a file of events, as a shell sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from rules.event import read_event
from tests.recorded import PATH
from tests.service.cli import dispatcher, keep
from workers.history import event_document

OLD = """version: 1
rules:
  - id: a
    on: participant_joined
    when: {room: {name: "support-*"}}
    dispatch: {agent: greeter}
"""
STORY = """\
2026-11-22 04:29:27  participant_joined in support-1 by cust-1
  - a
      - agent: greeter
      the new rules: condition: when.room.name: expected sip-*; got 'support-1'
2026-11-22 04:29:50  participant_joined in support-1 by cust-1
  - a
      - agent: greeter
      the new rules: condition: when.room.name: expected sip-*; got 'support-1'
2026-11-22 04:30:06  participant_joined in sip-1 by sip_+15105550123
  + a
      + agent: greeter
      the old rules: condition: when.room.name: expected support-*; got 'sip-1'
42 events: 1 added, 2 removed, 0 changed
"""
NOT_EVENTS = [
    (b"[1]", "line 1: a JSON object is needed"),
    (b'\n{"event": 7}', "line 2: a webhook event needs a name in 'event'"),
    (b'{"event": "x", "room": 7}', "line 1: 'room' of a webhook event must be an object"),
    (b'{"event": "x", "createdAt": 1e300}', "line 1: 'created_at' is a time in Unix seconds"),
    (b'{"event": "x", "createdAt": "noon"}', "line 1: 'created_at' is a time in Unix seconds"),
    (b"\xff", "not UTF-8 text"),
]


@pytest.fixture
def old(tmp_path):
    file = tmp_path / "old.yaml"
    file.write_text(OLD)
    return str(file)


@pytest.fixture
def new(tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text(OLD.replace("support", "sip"))
    return str(file)


def diff(*args, **more):
    return dispatcher("rules", "diff", *map(str, args), **more)


def explain(*args, **more):
    return dispatcher("rules", "explain", *map(str, args), **more)


class TestDiff:
    def test_exactly_the_dispatches_that_differ(self, old, new):
        done = diff(old, new, "--events", PATH)
        assert (done.returncode, done.stdout, done.stderr) == (0, STORY, "")

    def test_from_a_pipe(self, old, new):
        done = diff(old, new, "--events", "-", given=PATH.read_text())
        assert (done.returncode, done.stdout) == (0, STORY)

    def test_whether_anything_differs_by_the_exit_code(self, old, new):
        assert diff(old, new, "--events", PATH, "--exit-code").returncode == 1
        done = diff(old, old, "--events", PATH, "--exit-code")
        assert (done.returncode, done.stdout) == (0, "42 events: no dispatch differs\n")

    def test_as_json(self, old, new):
        done = diff(old, new, "--events", PATH, "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["events"]) == (0, 42)
        assert [(d["change"], d["room"]) for d in told["differences"]] == [
            ("removed", "support-1"),
            ("removed", "support-1"),
            ("added", "sip-1"),
        ]
        assert told["differences"][2]["new"] == {"rule": "a", "room": "sip-1", "agent": "greeter"}
        assert told["differences"][2]["old"] is None

    @pytest.mark.parametrize(("content", "said"), NOT_EVENTS)
    def test_lines_that_are_no_events(self, old, new, tmp_path, content, said):
        file = tmp_path / "a.jsonl"
        file.write_bytes(content)
        done = diff(old, new, "--events", file)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: {file}: {said}\n"

    def test_a_recording_that_is_not_there(self, old, new, tmp_path):
        done = diff(old, new, "--events", tmp_path / "nix")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: {tmp_path}/nix: No such file or directory\n"

    def test_rules_that_do_not_load(self, old, tmp_path):
        bad = tmp_path / "bad.yaml"
        bad.write_text("version: 1\nrules: [{id: x}\n")
        for pair in [(old, bad), (bad, old), (old, tmp_path / "nix.yaml")]:
            done = diff(*pair, "--events", PATH)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.splitlines()[-1].endswith("do not load")

    @pytest.mark.parametrize("events", [(), ("--events", "-", "--since", "1h"), ("--since", "x")])
    def test_events_that_are_not_told_or_told_twice(self, old, new, events):
        done = diff(old, new, *events)
        assert (done.returncode, done.stdout) == (2, "")

    def test_since_without_a_service(self, old, new, tmp_path):
        done = diff(old, new, "--since", "1h", environ={"DISPATCHER_DATA": str(tmp_path)})
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: cannot reach")


class TestSince:
    """On what the service itself has kept."""

    @pytest.fixture
    def kept(self, redis):
        now = datetime.now(UTC)
        for hours, room, project in [
            (30, "support-1", "APIa"),
            (2, "sip-1", "APIa"),
            (1, "sip-2", "APIb"),
        ]:
            at = (now - timedelta(hours=hours)).timestamp()
            body = {"event": "participant_joined", "id": f"EV_{hours}", "createdAt": int(at)}
            body |= {
                "room": {"name": room, "sid": f"RM_{room}"},
                "participant": {"identity": "ana"},
            }
            event = read_event(body, project=project)
            document = event_document(
                "devkey", event.id, event, [], [], rules_hash="h", now=at, instant=at
            )
            keep(redis, document)

    @pytest.mark.usefixtures("kept")
    def test_events_since_then_and_none_before(self, environ, old, new):
        def told(since):
            done = diff(old, new, "--since", since, "--json", environ=environ)
            assert done.returncode == 0
            assert done.stderr.endswith("nobody leaves\n") == (since != "1s")
            found = json.loads(done.stdout)
            return found["events"], [(d["change"], d["room"]) for d in found["differences"]]

        assert told("90m") == (1, [("added", "sip-2")])
        assert told("24h") == (2, [("added", "sip-1"), ("added", "sip-2")])
        assert told("7d")[1][0] == ("removed", "support-1")
        assert told("1s") == (0, [])

    @pytest.mark.usefixtures("kept")
    def test_the_key_that_signed_them_is_known(self, environ, new, tmp_path):
        file = tmp_path / "tenant.yaml"
        file.write_text(OLD.replace('{room: {name: "support-*"}}', "{project: APIa}"))
        done = diff(new, file, "--since", "24h", environ=environ)
        assert "in sip-2 by ana" in done.stdout
        assert "in sip-1 by ana" not in done.stdout
        assert done.stdout.splitlines()[-1] == "2 events: 0 added, 1 removed, 0 changed"


class TestExplainOne:
    EVENT = '{"event": "participant_joined", "room": {"name": "support-1"}}'

    def explained(self, tmp_path, more):
        file = tmp_path / "more.yaml"
        file.write_text(OLD + more)
        return explain(self.EVENT, "--rules", file).stdout.splitlines()[1:]

    @pytest.mark.parametrize(
        ("release", "told"),
        [
            ("last_human_left", "released: last_human_left"),
            ("{when: participant_left, after: 30s}", "released: participant_left for 30 s"),
            ("{when: {humans: {lt: 2}}}", 'released: {"humans": {"lt": 2}}'),
        ],
    )
    def test_when_an_agent_is_sent_away(self, tmp_path, release, told):
        lines = self.explained(tmp_path, f"    release: {release}\n")
        assert lines == ["  ✓ a  dispatch greeter in production", f"       {told}"]

    def test_nothing_of_an_agent_that_stays(self, tmp_path):
        lines = ["  ✓ a  dispatch greeter in production"]
        assert self.explained(tmp_path, "") == lines
        assert self.explained(tmp_path, "    release: never\n") == lines


class TestExplainLines:
    def test_each_event_with_what_came_before_it(self, old):
        done = explain(PATH, "--rules", old)
        assert (done.returncode, done.stderr) == (0, "")
        stories = done.stdout.split("\n\n")
        assert len(stories) == 42
        assert "  ✓ a  dispatch greeter in production" in stories[1]
        assert "loop guard" in stories[2]
        assert stories[14].startswith("participant_joined in support-1 by cust-2")
        assert "already dispatched" in stories[14]

    def test_as_json(self, old):
        told = json.loads(explain(PATH, "--rules", old, "--json").stdout)
        assert len(told["events"]) == 42
        assert told["events"][1]["decisions"][0]["outcome"] == "dispatch"

    @pytest.mark.parametrize(
        ("content", "said"), [(b"", "no events"), (b"\n\n", "no events"), *NOT_EVENTS]
    )
    def test_lines_that_are_no_events(self, old, tmp_path, content, said):
        file = tmp_path / "a.jsonl"
        file.write_bytes(content)
        done = explain(file, "--rules", old)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: {file}: {said}\n"

    def test_a_time_for_all_of_them(self, old):
        done = explain(PATH, "--rules", old, "--at", "2026-01-01")
        assert (done.returncode, done.stdout) == (2, "")
        assert "--at is for one event" in done.stderr


@pytest.mark.parametrize("command", ["diff", "explain"])
def test_a_reader_that_stops_reading_gets_no_traceback(command, old, new):
    args = [old, new, "--events", str(PATH)] if command == "diff" else [str(PATH), "--rules", old]
    line = [sys.executable, "-P", "-m", "service", "rules", command, *args]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""

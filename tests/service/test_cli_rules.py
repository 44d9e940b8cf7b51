from __future__ import annotations

import json

import pytest

from tests.service.cli import dispatcher

RULES = """version: 1
rules:
  - id: spanish
    on: participant_joined
    when: {room: {name: "support-*", metadata: {lang: es}}}
    dispatch: {agent: greeter, metadata: {who: "{{ participant.identity }}"}, attributes: {a: b}}
  - id: beta
    on: participant_joined
    when: {room: {name: "beta-*"}}
    dispatch: {agent: greeter, deployment: staging}
  - id: off
    enabled: false
    on: room_started
    dispatch: {agent: greeter}
"""
EVENT = {
    "event": "participant_joined",
    "created_at": 1767225600,
    "room": {"sid": "RM_1", "name": "support-1", "metadata": '{"lang":"es"}'},
    "participant": {"sid": "PA_1", "identity": "ana"},
}


@pytest.fixture
def rules(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return str(file)


def explain(rules, event=EVENT, *args, given=""):
    event = event if isinstance(event, str) else json.dumps(event)
    return dispatcher("rules", "explain", event, "--rules", rules, *args, given=given)


class TestCheck:
    def test_good_rules(self, rules):
        done = dispatcher("rules", "check", rules)
        assert (done.returncode, done.stdout, done.stderr) == (0, "3 rules, no errors\n", "")

    def test_the_rules_of_the_environment(self, rules):
        done = dispatcher("rules", "check", environ={"DISPATCHER_RULES": rules})
        assert done.stdout == "3 rules, no errors\n"

    def test_every_error_is_a_line_an_editor_can_jump_to(self, tmp_path):
        bad = tmp_path / "bad.yaml"
        bad.write_text("version: 1\nrules:\n  - id: x\n    on: [foo]\n")
        done = dispatcher("rules", "check", str(bad), str(tmp_path / "missing.yaml"))
        assert (done.returncode, done.stderr) == (1, "")
        assert set(done.stdout.splitlines()) == {
            f"{tmp_path}/missing.yaml:1:1: error: no such file",
            f"{bad}:3:5: error: the rule 'x' needs 'dispatch'",
            f"{bad}:4:10: error: unknown event 'foo'",
        }

    def test_as_json(self, rules, tmp_path):
        done = dispatcher("rules", "check", rules, "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["ok"], told["rules"], told["problems"]) == (0, True, 3, [])
        done = dispatcher("rules", "check", str(tmp_path / "missing.yaml"), "--json")
        [problem] = json.loads(done.stdout)["problems"]
        assert (done.returncode, problem["line"], problem["message"]) == (1, 1, "no such file")

    def test_files_given_together_are_one_set_of_rules(self, rules, tmp_path):
        twin = tmp_path / "twin.yaml"
        twin.write_text(RULES)
        done = dispatcher("rules", "check", rules, str(twin))
        assert done.returncode == 1
        assert "the id 'spanish' is taken" in done.stdout


class TestExplain:
    def test_the_story(self, rules):
        done = explain(rules)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (
            "participant_joined in support-1 by ana, 2026-01-01 00:00:00 UTC\n"
            "  ✓ spanish  dispatch greeter in production\n"
            '             metadata: {"who":"ana"}\n'
            "             attribute a: b\n"
            "  · beta     when.room.name: expected beta-*; got 'support-1'\n"
            "  · off      it is disabled\n"
        )

    def test_as_json(self, rules):
        told = json.loads(explain(rules, EVENT, "--json").stdout)
        assert (told["event"], told["room"]) == ("participant_joined", "support-1")
        assert [d["outcome"] for d in told["decisions"]] == ["dispatch", "skip", "skip"]
        assert told["decisions"][1]["at"] == "when.room.name"
        assert told["decisions"][0]["dispatches"][0]["agent"] == "greeter"

    def test_from_a_file_from_standard_input_and_from_a_recorded_delivery(self, rules, tmp_path):
        file = tmp_path / "event.json"
        file.write_text(json.dumps(EVENT, indent=2))
        delivery = json.dumps({"at": 1.0, "headers": {}, "body": json.dumps(EVENT)})
        told = explain(rules).stdout
        assert explain(rules, str(file)).stdout == told
        assert explain(rules, "-", given=json.dumps(EVENT)).stdout == told
        assert explain(rules, "-", given=delivery).stdout == told

    def test_at_another_time(self, rules):
        done = explain(rules, EVENT, "--at", "2026-03-02T10:00:00+01:00")
        assert "2026-03-02 09:00:00 UTC" in done.stdout

    def test_with_what_is_known_of_the_room(self, rules, tmp_path):
        state = tmp_path / "state.json"
        state.write_text(
            json.dumps(
                {
                    "room": {"name": "support-1", "metadata": '{"lang":"es"}'},
                    "participants": [{"identity": "op", "kind": "STANDARD"}],
                    "live": ["spanish"],
                }
            )
        )
        done = explain(rules, EVENT, "--state", str(state))
        assert "  · spanish  already dispatched" in done.stdout

    @pytest.mark.parametrize(
        "state",
        [
            '{"who": 1}',
            '{"live": 1}',
            '{"live": ["nobody"]}',
            '{"participants": {}}',
            '{"participants": [{"attributes": {"a": 1}}]}',
            '{"participants": [{"permission": 7}]}',
            '{"room": []}',
            '{"room": {"name": {}}}',
            "[]",
            "{",
        ],
    )
    def test_a_state_that_is_none(self, rules, tmp_path, state):
        file = tmp_path / "state.json"
        file.write_text(state)
        done = explain(rules, EVENT, "--state", str(file))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: {file}:")

    @pytest.mark.parametrize("created_at", [1e20, -1e12, "2026-01-01T00:00:00Z", "NaN", None, 0])
    def test_a_time_nobody_can_read(self, rules, created_at):
        done = explain(rules, EVENT | {"created_at": created_at})
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "error: 'created_at' is a time in Unix seconds; --at takes others\n"

    @pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00+10:00", "now"])
    def test_a_time_that_is_none(self, rules, at):
        done = explain(rules, EVENT, "--at", at)
        assert (done.returncode, done.stdout) == (2, "")
        assert "is not a time" in done.stderr

    def test_a_track_of_somebody_who_is_known_by_identity(self, tmp_path):
        source, state = tmp_path / "rules.yaml", tmp_path / "state.json"
        source.write_text(RULES.replace("participant_joined", "track_published"))
        state.write_text('{"participants": [{"identity": "ana", "kind": "SIP"}]}')
        event = EVENT | {"event": "track_published", "participant": {"identity": "ana"}}
        told = json.loads(explain(str(source), event, "--json", "--state", str(state)).stdout)
        assert "loop_guard" not in {d["reason"] for d in told["decisions"]}

    def test_rules_that_do_not_load(self, tmp_path):
        done = explain(str(tmp_path / "missing.yaml"))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == [
            f"{tmp_path}/missing.yaml:1:1: error: no such file",
            f"error: the rules at {tmp_path}/missing.yaml do not load",
        ]

    def test_names_with_control_characters_do_not_reach_the_terminal(self, rules):
        odd = EVENT | {"room": {"name": "support-\x1b[31m"}, "participant": {"identity": "a\nb"}}
        done = explain(rules, odd)
        assert "\x1b" not in done.stdout
        assert "a�b" in done.stdout

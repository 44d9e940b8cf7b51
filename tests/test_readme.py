"""What the documents say is so: files load, commands exist, links lead somewhere, tables are
complete.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from rules.decide import decide
from rules.decision import Outcome
from rules.event import read_event
from rules.loader import load
from rules.session import Session
from service import problems
from service.cli import dispatcher
from workers.dispatch import State
from workers.variables import HAVE_A_FILE_FORM, Variables

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
DOCS = REPOSITORY / "service" / "docs"
DOCUMENTS = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text()
ASSIGNMENTS = re.compile(r"^([A-Z_]+=\S+ )+")


def blocks(language: str, document: str = README) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_column(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_the_first_rule_file_does_what_is_said_of_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(blocks("yaml")[0])
    ruleset = load(tmp_path / "rules.yaml")

    agents = {room: _agents(ruleset, room) for room in ("support-7", "sales-7")}

    assert ruleset.warnings == ()
    assert agents == {"support-7": [("greeter", '{"customer":"ana"}')], "sales-7": []}


def _agents(ruleset, room: str) -> list[tuple[str, str]]:
    body = {
        "event": "participant_joined",
        "room": {"sid": "RM_1", "name": room},
        "participant": {"sid": "PA_1", "identity": "ana"},
    }
    decisions = decide(ruleset, read_event(body, project=""), Session("RM_1"))
    matched = [d for d in decisions if d.outcome is Outcome.DISPATCH]
    return [(plan.agent, plan.metadata) for d in matched for plan in d.plans]


def test_the_explanation_is_what_the_command_prints(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "event.json").write_text(blocks("json")[0])
    args = ["rules", "explain", str(tmp_path / "event.json"), "--at", "2026-03-02T09:00:00Z"]

    printed = CliRunner().invoke(dispatcher, [*args, "--rules", str(tmp_path / "rules.yaml")])

    assert printed.output in blocks("")


def test_the_demo_shows_what_is_said_of_it() -> None:
    shown = next(block for block in blocks("") if block.startswith("ROOM"))

    demo = subprocess.run(
        [sys.executable, "-m", "service", "demo", "--once"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert set(shown.splitlines()) <= {line.rstrip() for line in demo.stdout.splitlines()}


def test_livekit_is_configured_as_in_the_compose_file() -> None:
    told = YAML(typ="safe").load(blocks("yaml")[1])
    compose = YAML(typ="safe").load((REPOSITORY / "docker-compose.yml").read_text())
    config = compose["services"]["livekit"]["environment"]["LIVEKIT_CONFIG"]
    tried = YAML(typ="safe").load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", config))
    assert {part: set(told[part]) for part in told} == {"webhook": set(tried["webhook"])}
    assert [url.rpartition("8080")[2] for url in told["webhook"]["urls"]] == ["/webhooks/livekit"]


def test_the_settings_table_is_complete() -> None:
    assert first_column(section("Settings")) == [name.upper() for name in Variables.model_fields]


def test_the_file_forms_are_named() -> None:
    assert set(re.findall(r"`([A-Z_]+_FILE)`", section("Settings"))) == {
        f"{name}_FILE" for name in HAVE_A_FILE_FORM
    }


def test_every_default_is_the_one_in_force() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", section("Settings"), re.MULTILINE)
    said = {name: default.strip("`") for name, default in rows}
    fields = Variables.model_fields.items()
    assert said == {
        name.upper(): _shown(field.get_default(call_default_factory=True)) for name, field in fields
    }


def _shown(default: object) -> str:
    if isinstance(default, timedelta):
        return f"{default.days}d" if default.days else f"{default.seconds}s"
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if default else "none"


def test_the_commands_table_is_that_of_the_help() -> None:
    context = click.Context(dispatcher)
    listed = [f"dispatcher {name}" for name in dispatcher.list_commands(context)]
    assert first_column(section("Commands")) == listed


def command_lines() -> Iterator[str]:
    for document in (path.read_text() for path in DOCUMENTS):
        for line in "".join(blocks("console", document)).splitlines():
            command = ASSIGNMENTS.sub("", line)
            if command.startswith("dispatcher "):
                yield command
        yield from re.findall(r"`(dispatcher [^`]+)`", document)


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_a_command_can_be_given_as_it_is_written(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rules.yaml", "event.json"):
        (tmp_path / name).touch()
    _, *args = shlex.split(line)
    command: click.Command = dispatcher
    context = click.Context(dispatcher)
    while isinstance(command, click.Group) and args and not args[0].startswith("-"):
        name = args.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command = found
    if args:
        command.make_context(line, args)


def test_every_make_command_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", document.read_text())
    dead = []
    for path, heading in links:
        target = document.parent / path if path else document
        if not target.exists() or (heading and heading not in headings(target)):
            dead.append((path, heading))
    assert dead == []


def headings(document: Path) -> set[str]:
    """The headings of a document as links name them."""
    found = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


def test_every_document_is_in_the_list() -> None:
    listed = set(re.findall(r"\]\(service/docs/([^)]+)\)", section("More")))
    assert listed == {path.name for path in DOCS.glob("*.md")}


def test_every_refusal_of_a_webhook_has_its_cause() -> None:
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.Kind)]
    refusals = {kind.slug for kind in kinds if kind.status == 401}
    assert refusals <= set(first_column(TROUBLESHOOTING))


def test_every_state_of_a_dispatch_is_explained() -> None:
    assert [state for state in State if f"`{state}`" not in TROUBLESHOOTING] == []

"""`doctor`: whether everything the service needs is there, and what to do about what is not."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.cli.commands import example
from service.cli.output import json_option, print_json, print_table, printable
from service.doctor import examine
from service.doctor.findings import Status
from service.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.doctor.findings import Finding


@click.command(epilog=example("dispatcher doctor", "dispatcher doctor --json | jq .status"))
@json_option
def doctor(*, as_json: bool) -> None:
    """Look at all that the service needs, and say what to do.

    Settings, Redis, LiveKit, VideoSDK, clocks, webhooks, rules, workers, files: each is ok, a
    warning, or failed. It changes nothing, and takes 5 s at most. Run it where `serve`, `worker` or
    `up` run, with their environment. Exit status 1: something has failed.
    """
    configure_logs("command")
    findings = examine(os.environ)
    status = _worst(findings)
    if as_json:
        print_json({"status": status, "checks": [asdict(each) for each in findings]})
    else:
        _print(findings)
    sys.exit(1 if status is Status.FAILED else 0)


def _worst(findings: Sequence[Finding]) -> Status:
    found = {each.status for each in findings}
    return next((s for s in (Status.FAILED, Status.WARNING) if s in found), Status.OK)


def _print(findings: Sequence[Finding]) -> None:
    counts = Counter(each.status for each in findings)
    if sys.stdout.isatty():
        rows = [[printable(each.check), each.status.value, _told(each)] for each in findings]
        print_table(("CHECK", "STATUS", "FOUND"), rows, empty="")
        click.echo()
    else:
        for each in findings:
            click.echo(f"{each.status}: {printable(each.check)}: {_told(each)}")
    click.echo(f"{counts[Status.OK]} ok, {counts[Status.WARNING]} to be looked at,"
               f" {counts[Status.FAILED]} failed", err=True)  # fmt: skip


def _told(finding: Finding) -> str:
    return printable("; ".join(filter(None, (finding.found, finding.todo))))

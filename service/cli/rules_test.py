"""`rules test`: runs rule tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import click

from rules.files import read_test_files
from rules.loader import load_all
from rules.problems import Report, RuleErrors
from rules.rule_test_run import Result, run_test
from rules.rule_tests import TestFile, read_tests
from service.cli.commands import Failure, example
from service.cli.output import json_option, print_json, printable
from service.cli.streams import in_words
from workers.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.ruleset import Ruleset

_PASSED, _FAILED = click.style("✓", fg="green"), click.style("✗", fg="red")
_COLOURS = {"-": "red", "+": "green"}


@click.command(
    "test", epilog=example("dispatcher rules test rules/", "dispatcher rules test --junit out.xml")
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML too.")
@json_option
def run(*, paths: tuple[str, ...], junit: str | None, as_json: bool) -> None:
    """Run rule tests.

    A PATH is a *.test.yaml file, a folder of them or a glob; without one it is where
    DISPATCHER_RULES lies.

    A test says which events come and which dispatches follow. Lines with - were expected, lines
    with + came instead.
    """
    settings = load_settings()
    try:
        files = _files(paths or (_folder(settings.rules),))
    except OSError as error:
        raise Failure(in_words(error), 2) from None
    loaded = [(file, _rules_of(file)) for file in files]
    if any(ruleset is None for _, ruleset in loaded):
        raise Failure("the tests cannot be run")
    results = [
        (file, [run_test(ruleset, test) for test in file.tests])
        for file, ruleset in loaded
        if ruleset is not None
    ]
    if junit is not None:
        _write_junit(junit, results)
    every = [result for _, each in results for result in each]
    failed = sum(not result.passed for result in every)
    if as_json:
        print_json(
            {
                "ok": not failed,
                "passed": len(every) - failed,
                "failed": failed,
                "tests": [_json(result) for result in every],
            }
        )
    else:
        for file, each in results:
            _print(file, each)
        tests = f"{len(every)} test{'s' * (len(every) != 1)}"
        click.echo(f"{tests}, {failed} failed" if failed else f"{tests} passed")
    sys.exit(1 if failed else 0)


def _rules_of(file: TestFile) -> Ruleset | None:
    """The rules a file of tests is about; None where they do not load, which is told."""
    try:
        return load_all(file.rules)
    except RuleErrors as errors:
        for problem in errors.problems:
            click.echo(problem, err=True)
        click.echo(f"error: the rules of {printable(file.path)} do not load", err=True)
        return None


def _folder(rules: str) -> str:
    path = Path(rules)
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return str(path)


def _files(paths: Sequence[str]) -> list[TestFile]:
    report = Report()
    texts = {file.path: file for path in paths for file in read_test_files(path, report)}
    files = [read_tests(text, report) for text in texts.values()]
    if report.failed:
        for problem in report.problems:
            click.echo(problem, err=True)
        raise Failure("the tests cannot be read")
    if not files:
        raise Failure(f"no *.test.yaml at {', '.join(paths)}", 2)
    return [file for file in files if file is not None]


def _print(file: TestFile, results: Sequence[Result]) -> None:
    click.echo(click.style(file.path, bold=True))
    for result in results:
        name = printable(result.test.name)
        if result.passed:
            click.echo(f"  {_PASSED} {name}")
            continue
        mark = result.test.mark
        click.echo(f"  {_FAILED} {name}  {click.style(f'{mark.path}:{mark.line}', dim=True)}")
        for line in result.differences:
            click.echo(f"      {click.style(printable(line), fg=_COLOURS.get(line[:1]))}")


def _json(result: Result) -> dict[str, Any]:
    test = result.test
    return {
        "file": test.mark.path,
        "line": test.mark.line,
        "name": test.name,
        "passed": result.passed,
        "differences": result.differences,
    }


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0"}


def _write_junit(path: str, results: Sequence[tuple[TestFile, Sequence[Result]]]) -> None:
    every = [result for _, each in results for result in each]
    suites = ET.Element("testsuites", {"name": "rules", **_counts(every)})
    for file, each in results:
        where = printable(file.path)
        suite = ET.SubElement(suites, "testsuite", {"name": where, **_counts(each)})
        for result in each:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=where,
                name=printable(result.test.name),
                file=where,
                line=str(result.test.mark.line),
            )
            if not result.passed:
                told = [printable(line) for line in result.differences]
                failure = ET.SubElement(case, "failure", message="dispatches differ")
                failure.text = "\n".join(told)
    try:
        ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None

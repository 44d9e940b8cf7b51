"""Rule files to a ruleset, or to all that is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules import document
from rules.collecting import no_collecting
from rules.compiling import Compiling
from rules.defaults import read_defaults
from rules.document import read_document
from rules.files import RuleFile, content_hash, rule_files
from rules.groups import settle_groups
from rules.never import warn_of_the_shadowed
from rules.problems import Mark, Problem, Report, RuleErrors
from rules.rule_fields import RULE_KEYS, compile_rule
from rules.ruleset import Ruleset
from rules.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rules.document import Entries
    from rules.rule import Rule

VERSION: Final = 1
MAX_RULES: Final = 50_000
"""Rules of all files together."""
FILE_KEYS: Final = ("version", "defaults", "tables", "rules")


def load(source: str | Path) -> Ruleset:
    """Read rules from a file, a folder (`*.yaml`, `*.yml`, sorted), or a glob.

    Raises:
        RuleErrors: they do not load; it holds every error of every file.
    """
    return load_all([str(source)])


def load_all(sources: Iterable[str]) -> Ruleset:
    """Read rules from several files, folders or globs: together they are one set.

    Raises:
        RuleErrors: they do not load; it holds every error of every file.
    """
    report = Report()
    files = {file.path: file for source in sources for file in rule_files(source, report)}
    with no_collecting():
        return _compile(tuple(files.values()), report)


def load_files(files: Iterable[RuleFile]) -> Ruleset:
    """Load texts that were read before, such as the `files` of a ruleset that was kept.

    Raises:
        RuleErrors: they do not load; it holds every error of every file.
    """
    with no_collecting():
        return _compile(tuple(files), Report())


def _compile(files: tuple[RuleFile, ...], report: Report) -> Ruleset:
    read = [(file, _entries(file, report)) for file in files]
    tables = Tables()
    for _, entries in read:
        if "tables" in entries:
            tables.read(entries["tables"][1], report)
    if _are_too_many(read, report):
        raise RuleErrors(report.problems)
    ids: dict[str, Mark] = {}
    compiled = [rule for _, entries in read for rule in _rules(entries, ids, tables, report)]
    rules = settle_groups(compiled, report)
    warn_of_the_shadowed(rules, report)
    order = {file.path: index for index, file in enumerate(files)}
    problems = sorted(report.problems, key=lambda each: _place(each, order))
    if report.failed:
        raise RuleErrors(problems)
    return Ruleset(rules, content_hash(files), files, tuple(problems), tables=tables.values)


def _are_too_many(read: list[tuple[RuleFile, Entries]], report: Report) -> bool:
    """Whether there are more rules than may be; the report tells which is the first of them."""
    left = MAX_RULES
    for _, entries in read:
        listed = entries["rules"][1] if "rules" in entries else None
        if not isinstance(listed, document.Sequence):
            continue
        if len(listed.items) > left:
            told = f"more than {MAX_RULES:,} rules: a table may say in one what many rules do"
            report.error(listed.items[left].mark, told)
            return True
        left -= len(listed.items)
    return False


def _entries(file: RuleFile, report: Report) -> Entries:
    """A file's entries by key; nothing if it is no rule file, which the report tells."""
    before = len(report.problems)
    root = read_document(file.text, file.path, report)
    top = Mark(file.path, 1, 1)
    if root is None:
        if len(report.problems) == before:
            report.error(top, "an empty file: it needs 'version: 1' and 'rules:'")
        return {}
    if not isinstance(root, document.Mapping):
        report.error(root.mark, "a rule file is a mapping with 'version: 1' and 'rules:'")
        return {}
    if not {"version", "rules", "tables"} & set(root.entries):
        report.error(root.mark, "not a rule file: it has neither 'version: 1' nor 'rules:'")
        return {}
    ours = {key: entry for key, entry in root.entries.items() if not key.startswith("x-")}
    entries = Compiling(report).known_keys(document.Mapping(root.mark, ours), FILE_KEYS, "")
    _check_version(entries["version"][1] if "version" in entries else None, top, report)
    if "rules" not in entries and "tables" not in entries:
        report.error(top, "the file needs 'rules:', a list of rules")
    return entries


def _rules(entries: Entries, ids: dict[str, Mark], tables: Tables, report: Report) -> list[Rule]:
    defaults = None
    if "defaults" in entries:
        defaults = read_defaults(entries["defaults"][1], RULE_KEYS, report)
    if "rules" not in entries:
        return []
    listed = entries["rules"][1]
    if not isinstance(listed, document.Sequence):
        report.error(listed.mark, "'rules' takes a list of rules")
        return []
    if not listed.items:
        report.warning(listed.mark, "the file has no rules")
    for item in listed.items:
        _refuse_twin(item, ids, report)
    compiled = [compile_rule(item, report, tables, defaults) for item in listed.items]
    return [rule for rule in compiled if rule is not None]


def _check_version(node: document.Node | None, top: Mark, report: Report) -> None:
    if node is None:
        report.error(top, f"the file needs 'version: {VERSION}'")
    elif not isinstance(node, document.Scalar) or type(node.value) is not int:
        report.error(node.mark, f"'version' is the number {VERSION}")
    elif node.value != VERSION:
        report.error(node.mark, f"version {node.value} is not known here: this reads {VERSION}")


def _refuse_twin(rule: document.Node, ids: dict[str, Mark], report: Report) -> None:
    """Remember a rule's id, also that of a rule with errors, and refuse it if it is taken."""
    if not isinstance(rule, document.Mapping) or "id" not in rule.entries:
        return
    node = rule.entries["id"][1]
    if not isinstance(node, document.Scalar) or not isinstance(node.value, str):
        return
    first = ids.get(node.value)
    if first is None:
        ids[node.value] = node.mark
        return
    mark = rule.mark if first == node.mark else node.mark  # an id that came with `<<`
    report.error(mark, f"the id '{node.value}' is taken: by the rule at {first}")


def _place(problem: Problem, order: dict[str, int]) -> tuple[int, int, int]:
    return order.get(problem.path, -1), problem.line, problem.column

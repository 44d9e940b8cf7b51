"""What the parts of a rule need while they are compiled: the report, and templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.document import Mapping, Node, Scalar
from rules.durations import parse_duration
from rules.problems import Report, nearest, quoted
from rules.tables import Tables
from rules.templates import Template, compile_template

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    from rules.problems import Mark


@dataclass(slots=True)
class Compiling:
    """One rule on its way."""

    report: Report
    tables: Tables = field(default_factory=Tables)
    templates: list[tuple[Template, Scalar]] = field(default_factory=list)

    def template(self, node: Scalar) -> Template:
        """Compile a text that may hold templates; problems go to the report."""
        try:
            template = compile_template(str(node.value))
        except ValueError as error:
            self.report.error(node.mark, str(error))
            return Template("", constant=None)
        for name in sorted(template.tables):
            if self.tables.keys(name) is None:
                self.report.error(node.mark, f"{self.tables.unknown(name)}, in a template")
        self.templates.append((template, node))
        return template

    def known_keys(
        self, node: Mapping, known: Iterable[str], where: str
    ) -> dict[str, tuple[Mark, Node]]:
        """The entries whose keys are known; the others go to the report."""
        known = tuple(known)
        entries: dict[str, tuple[Mark, Node]] = {}
        for key, entry in node.entries.items():
            if key in known:
                entries[key] = entry
            else:
                full = quoted(f"{where}.{key}" if where else key)
                self.report.error(entry[0], f"unknown field {full}{nearest(key, known, where)}")
        return entries

    def text(self, node: Node, what: str) -> Scalar | None:
        """A text, or a problem."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node
        hint = ": quote it" if isinstance(node, Scalar) and node.value is not None else ""
        self.report.error(node.mark, f"'{what}' takes text{hint}")
        return None

    def duration(self, node: Node, what: str) -> float | None:
        """A duration in seconds, or a problem."""
        value = node.value if isinstance(node, Scalar) else None
        try:
            if isinstance(value, str):
                return parse_duration(value).total_seconds()
        except ValueError as error:
            self.report.error(node.mark, f"'{what}': {error}")
            return None
        hint = ""
        if isinstance(node, Scalar) and isinstance(value, int | float):
            hint = f": with its unit, {node.text}s"
        self.report.error(node.mark, f"'{what}' is a duration such as 250ms, 10s, 5m or 2h{hint}")
        return None

    def choice(self, node: Node, choices: type[StrEnum], what: str) -> str | None:
        """One of an enum's words, or a problem."""
        words = [str(choice) for choice in choices]
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value in words:
            return value
        hint = nearest(value, words) if isinstance(value, str) else ""
        self.report.error(node.mark, f"'{what}' is one of {', '.join(words)}{hint}")
        return None

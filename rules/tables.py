"""Tables: values by name that the rules of all files share, such as agents by dialled number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rules import document
from rules.problems import nearest, quoted
from rules.template_values import MAPPING_METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.document import Node
    from rules.problems import Mark, Report

MAX_ENTRIES: Final = 500_000
"""Keys of all tables together."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(slots=True)
class Tables:
    """The tables of all files, by name."""

    marks: dict[str, Mark] = field(default_factory=dict)
    values: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def read(self, node: Node, report: Report) -> None:
        """Take in one file's `tables`; problems go to the report."""
        if not isinstance(node, document.Mapping):
            report.error(node.mark, "'tables' takes a mapping of tables by name")
            return
        for name, (mark, table) in node.entries.items():
            if not _NAME.match(name) or name in MAPPING_METHODS:
                told = (
                    "a table's name has letters, digits and '_', such as numbers, and is none of "
                    + ", ".join(sorted(MAPPING_METHODS))
                )
                report.error(mark, f"{quoted(name)}: {told}")
            elif name in self.marks:
                report.error(mark, f"the table '{name}' is taken: by that at {self.marks[name]}")
            elif not isinstance(table, document.Mapping):
                report.error(table.mark, f"the table '{name}' is a mapping of keys to values")
            elif sum(map(len, self.values.values())) + len(table.entries) > MAX_ENTRIES:
                told = f"with the table '{name}' the tables have more than {MAX_ENTRIES:,} keys"
                report.error(mark, told)
            else:
                self.values[name] = document.plain(table)
            self.marks.setdefault(name, mark)

    def keys(self, name: str) -> frozenset[str] | None:
        """The keys of a table; None if there is none of that name."""
        if name not in self.marks:
            return None
        return frozenset(self.values.get(name, ()))

    def unknown(self, name: str) -> str:
        """What to say of a table that is not there."""
        hint = nearest(name, self.marks) or " in the files given"
        return f"there is no table {quoted(name)}{hint}"

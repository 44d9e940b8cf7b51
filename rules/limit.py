"""`limit`: how many agents of a rule may be live at once, over all rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rules import document
from rules.decision import Share
from rules.templates import RenderingError, Template

if TYPE_CHECKING:
    from rules.compiling import Compiling
    from rules.document import Node
    from rules.templates import Context

MAX_PER: Final = 1024
"""Characters of a rendered `limit.per`: it is kept by each live dispatch."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, compiled."""

    active: int
    per: Template
    """What live dispatches are counted by; all together where it is empty."""

    @property
    def reads_presence(self) -> bool:
        """Whether `per` reads who is in the room."""
        return self.per.reads_presence

    def share(self, context: Context) -> Share:
        """What an event's dispatches would count to.

        Raises:
            RenderingError: something that `per` reads is absent, or it fails.
        """
        per = self.per.render(context)
        if len(per) > MAX_PER:
            raise RenderingError(f"it renders to more than {MAX_PER:,} characters")
        return Share(per, self.active)


def compile_limit(node: Node, compiling: Compiling) -> Limit | None:
    """Compile `limit`; problems go to the report."""
    if not isinstance(node, document.Mapping):
        told = "'limit' takes a mapping such as {active: 20}"
        compiling.report.error(node.mark, told)
        return None
    entries = compiling.known_keys(node, ("active", "per"), "limit")
    if "active" not in entries:
        compiling.report.error(node.mark, "'limit' needs 'active', how many may be live")
        return None
    active = entries["active"][1]
    value = active.value if isinstance(active, document.Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        hint = "; to switch the rule off write 'enabled: false'" if value == 0 else ""
        compiling.report.error(active.mark, f"'limit.active' is a whole number from 1{hint}")
        return None
    per = Template("", constant="")
    if "per" in entries:
        text = compiling.text(entries["per"][1], "limit.per")
        if text is not None:
            per = compiling.template(text)
            if per.constant is not None:
                told = "'limit.per' has no template: all are counted together without it"
                compiling.report.warning(text.mark, told)
    return Limit(value, per)

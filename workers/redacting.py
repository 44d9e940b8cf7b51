"""History, logs and pages without what `DISPATCHER_REDACT` names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rules.decision import Outcome
from rules.frozen import replace
from workers import keys
from workers.redaction import DISPATCH, REDACTED, touches, without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.decision import Decision
    from workers.hold import Document
    from workers.redaction import RedactPath

_MOST_KNOWN: Final = 10_000
_COMPARED: Final = 24
"""Characters of a value by which it is found in words about it, which cut it short."""
_UNSEEN: Final = frozenset({"origin", "share", "fallback", "tried", "notice"})
"""What history has of a dispatch that nobody is shown, and that is made of its event."""


class Redacted(NamedTuple):
    """An event that was gone through."""

    body: Mapping[str, Any]
    paths: tuple[str, ...]
    """Those that have taken something away."""
    taken: tuple[str, ...]
    """The texts that were there."""


@dataclass(frozen=True)
class Redaction:
    """What is to be left out; nothing, unless paths are given."""

    paths: tuple[RedactPath, ...] = ()
    _of_events: tuple[RedactPath, ...] = field(init=False, repr=False)
    _of_dispatches: tuple[RedactPath, ...] = field(init=False, repr=False)
    _known: dict[str, bool] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Places in rules, and whether something that is left out is read there."""

    def __post_init__(self) -> None:
        of_dispatches = tuple(path for path in self.paths if path.root == DISPATCH)
        of_events = tuple(path for path in self.paths if path.root != DISPATCH)
        object.__setattr__(self, "_of_dispatches", of_dispatches)
        object.__setattr__(self, "_of_events", of_events)

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return bool(self.paths)

    def event(self, body: Mapping[str, Any]) -> Redacted:
        """An event's JSON, as `Event.to_json` gives it."""
        taken: list[str] = []
        hit = []
        for path in self._of_events:
            part = body.get(path.root)
            new = without(part, path, taken) if isinstance(part, Mapping) else part
            if new is not part:
                body = {**body, path.root: new}
                hit.append(path.text)
        return Redacted(body, tuple(hit), tuple(taken))

    def participant(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Somebody in a room."""
        return self.event({"participant": fields}).body["participant"]  # type: ignore[no-any-return]  # what was given

    def dispatch(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A dispatch as it is kept, or as it is shown."""
        if not self.paths:
            return dict(record)
        kept: Mapping[str, Any] = {k: v for k, v in record.items() if k not in _UNSEEN}
        for path in self._of_dispatches:
            kept = without(kept, path, [])
        return dict(kept)

    def document(self, document: Document) -> Document:
        """A document on its way into history. A dead letter stays whole: it may be tried again."""
        if not self.paths:
            return document
        if document.key.startswith(keys.DISPATCH):
            return replace(document, value=self.dispatch(document.value))
        if document.key.startswith(keys.EVENT):
            return replace(document, value=self._kept_event(document.value))
        return document

    def decisions(self, body: Mapping[str, Any], decisions: Sequence[Decision]) -> list[Decision]:
        """Decisions on an event, without values in their words."""
        if not self.paths:
            return list(decisions)
        taken = self.event(body).taken
        return [replace(d, detail=self.detail(d.outcome, d.at, d.detail, taken)) for d in decisions]

    def detail(
        self, outcome: str, at: str | None, detail: str | None, taken: Sequence[str]
    ) -> str | None:
        """The words of a decision, or none of them where they may tell what was taken away.

        An error's go wherever something was: a template may have made anything of it.
        """
        if detail is None:
            return None
        if (outcome == Outcome.ERROR and taken) or (at and self._is_read(at)):
            return REDACTED
        return self.words(detail, taken)

    def _is_read(self, at: str) -> bool:
        """Whether a condition at this place reads what is left out: asked for every decision."""
        if at not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[at] = any(touches(path, at) for path in self._of_events)
        return self._known[at]

    def words(self, text: str, taken: Sequence[str]) -> str:
        """Words of ours about an event, such as an error, or none of them likewise."""
        parts = (value[:_COMPARED] for value in taken)
        # They may quote it as Python does.
        tells = any(part in text or repr(part)[1:-1] in text for part in parts)
        return REDACTED if tells else text

    def letter(self, body: object, error: str) -> tuple[object, str]:
        """A dead letter's body and error, to be shown.

        What is no event, or an order, is left out whole: nobody can say what it holds where.
        """
        if not self.paths:
            return body, error
        if not isinstance(body, Mapping):
            return REDACTED, REDACTED
        seen = self.event(body)
        shown = {**seen.body}
        if isinstance(body.get(DISPATCH), Mapping):
            shown[DISPATCH] = self.dispatch(body[DISPATCH])
        return shown, self.words(error, seen.taken)

    def _kept_event(self, value: Mapping[str, Any]) -> dict[str, Any]:
        body, paths, taken = self.event(value["body"])
        decisions = [
            (rule, outcome, *others, at, self.detail(outcome, at, detail, taken))
            for rule, outcome, *others, at, detail in value["decisions"]
        ]
        kept = {**value, "decisions": decisions, "body": body}
        return {**kept, "redacted": paths} if paths else kept


NOTHING: Final = Redaction()
"""Nothing is left out."""

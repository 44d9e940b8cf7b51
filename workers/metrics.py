"""The metrics of the whole fleet: what workers count, under which names, told by every web process.

Labels are few and bounded. Rules and agents come from rule files and their templates, so only so
many are told apart (`MOST_SUBJECTS`), the rest is `other`. No label holds a room's name, a
participant's identity or metadata.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = tuple[str, float]
"""A field of what is counted, and how much more it is."""

MOST_SUBJECTS: Final = 200
"""Rules, and agents of a deployment, that are told apart; new ones take the places of those that
have not been heard of for a day."""
OTHER: Final = "other"
SUM: Final = "sum"
LONGEST_LABEL: Final = 128
"""Characters of an agent's name or a deployment."""

RULE: Final = "rule"
ROUTE: Final = "route"
SUBJECTS: Final = {RULE: ("rule",), ROUTE: ("provider", "agent", "deployment")}
"""What may be without bound, and the labels that name it."""

_UNIT: Final = "\x1f"
_PART: Final = "\x1e"
_CLEAN: Final = {0x1E: " ", 0x1F: " "}

QUICK_SECONDS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""For what takes a call or a write."""
AGENT_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0)
"""For what waits for an agent."""


class Metric:
    """A counter, or with `buckets` a histogram, that workers add to."""

    def __init__(
        self,
        name: str,
        told: str,
        labels: Sequence[str] = (),
        *,
        subject: str = "",
        buckets: Sequence[float] = (),
    ) -> None:
        """Describe it.

        Args:
            name: as Prometheus shows it.
            told: what it says, in a sentence.
            labels: after those of the subject.
            subject: `RULE` or `ROUTE`, where it is told for each of those.
            buckets: upper bounds, in seconds.
        """
        self.name = name
        self.told = told
        self.subject = subject
        self.own = len(SUBJECTS.get(subject, ()))
        self.labels = (*SUBJECTS.get(subject, ()), *labels)
        self.buckets = tuple(buckets)
        self.field = lru_cache(maxsize=4096)(self._field)
        """The field of the given labels; of a histogram, with the bucket's bound or `SUM` last."""
        self._fields = lru_cache(maxsize=1024)(self._all_fields)

    def observed(self, seconds: float, *labels: str) -> tuple[Count, Count]:
        """What a histogram counts where it has taken so long."""
        buckets, total = self._fields(*labels)
        return (buckets[bisect_left(self.buckets, seconds)], 1), (total, round(seconds, 6))

    def _all_fields(self, *labels: str) -> tuple[tuple[str, ...], str]:
        bounds = (*self.buckets, inf)
        return tuple(self._field(*labels, str(each)) for each in bounds), self._field(*labels, SUM)

    def _field(self, *labels: str) -> str:
        plain = [_plain(each) for each in labels]
        subject = _UNIT.join((self.subject, *plain[: self.own])) if self.subject else ""
        return _PART.join((subject, self.name, _UNIT.join(plain[self.own :])))


class Read(NamedTuple):
    """What a field stands for."""

    name: str
    labels: tuple[str, ...]


def read_field(field: str) -> Read:
    """Read what `Metric.field` gave. Where the subject is `OTHER`, so is each of its labels.

    Raises:
        ValueError: it is not that.
    """
    subject, name, rest = field.split(_PART)
    kind, *own = subject.split(_UNIT)
    if own == [OTHER]:
        own = [OTHER] * len(SUBJECTS.get(kind, ()))
    return Read(name, (*own, *(rest.split(_UNIT) if rest else ())))


def subject_of(field: str) -> str:
    """Which rule or agent a field is about; `""` if it is about none."""
    return field.partition(_PART)[0]


def without_subject(field: str) -> str:
    """The same, for one of those that are not told apart."""
    subject, _, rest = field.partition(_PART)
    return f"{subject.partition(_UNIT)[0]}{_UNIT}{OTHER}{_PART}{rest}"


def _plain(value: str) -> str:
    text = str(value).translate(_CLEAN)[:LONGEST_LABEL]
    return text.encode("utf-8", "replace").decode()


EVENTS: Final = Metric("dispatcher_events_decided_total", "Events decided.", ("event",))
PUT_ASIDE: Final = Metric(
    "dispatcher_events_put_aside_total", "Events put aside as dead letters: three tries failed."
)
DECISIONS: Final = Metric(
    "dispatcher_decisions_total",
    "What rules said of events that could concern them.",
    ("outcome", "reason"),
    subject=RULE,
)
DISPATCHES: Final = Metric(
    "dispatcher_dispatches_total",
    "Dispatches that have reached a state.",
    ("state",),
    subject=ROUTE,
)
OUTCOMES: Final = Metric(
    "dispatcher_agent_outcomes_total",
    "Whether accepted dispatches got their agent: joined, or why none came.",
    ("outcome",),
    subject=ROUTE,
)
FALLBACKS: Final = Metric(
    "dispatcher_fallbacks_total", "Agents asked for since another did not come.", subject=ROUTE
)
RESTARTS: Final = Metric(
    "dispatcher_restarts_total", "Agents sent anew since one had failed.", subject=ROUTE
)
RETRIES: Final = Metric(
    "dispatcher_retries_total",
    "Steps of dispatches that failed and are tried again.",
    ("provider",),
)
CALLS: Final = Metric(
    "dispatcher_calls_total",
    "Calls to LiveKit and VideoSDK, by HTTP status; or timeout, unconnected, lost, cancelled.",
    ("provider", "method", "code"),
)
LEASES_LOST: Final = Metric(
    "dispatcher_leases_lost_total", "Rooms that a worker lost to another in the middle of its work."
)
ACCEPTED: Final = Metric(
    "dispatcher_webhook_to_accepted_seconds",
    "From a webhook's arrival to the provider's acceptance of its dispatch.",
    ("provider",),
    buckets=(*QUICK_SECONDS, 10.0, 30.0),
)
JOINED: Final = Metric(
    "dispatcher_accepted_to_joined_seconds",
    "From a dispatch's acceptance to its agent's join.",
    subject=ROUTE,
    buckets=AGENT_SECONDS,
)
ANSWERED: Final = Metric(
    "dispatcher_webhook_to_joined_seconds",
    "From a webhook's arrival to its agent's join.",
    ("provider",),
    buckets=AGENT_SECONDS,
)
CALL_SECONDS: Final = Metric(
    "dispatcher_call_seconds",
    "How long calls to LiveKit and VideoSDK took, failed ones too.",
    ("provider", "method"),
    buckets=QUICK_SECONDS,
)

COUNTED: Final = (
    EVENTS, PUT_ASIDE, DECISIONS, DISPATCHES, OUTCOMES, FALLBACKS, RESTARTS, RETRIES, CALLS,
    LEASES_LOST, ACCEPTED, JOINED, ANSWERED, CALL_SECONDS,
)  # fmt: skip

"""OpenTelemetry: one trace for each event, from its webhook to the joining of its agents.

Nothing of a trace is carried through Redis. Its id, and that of its first span, follow from the
event's id, so whichever process works on the event adds to the same trace. A span is made when it
is over, from the times that events and dispatches keep.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from workers.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

    from rules.decision import Decision
    from rules.event import Event
    from workers.dispatch import Dispatch
    from workers.settings import Settings

NAME: Final = "livekit-dispatcher"
_UNREACHED: Final = frozenset({State.FAILED, State.SUPERSEDED, State.RELEASED})
_ids: ContextVar[tuple[int, int] | None] = ContextVar("ids", default=None)


def open_traces(settings: Settings, process: str) -> Traces | None:
    """Traces of this process, sent to the collector of the settings; None where there is none."""
    if settings.otlp is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - optional
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otlp.endpoint}/v1/traces", headers=dict(settings.otlp.headers)
    )
    return Traces(_provider(process), BatchSpanProcessor(exporter))


def _provider(process: str) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class Ids(RandomIdGenerator):
        """Those of the event, where a span is its first; else random ones."""

        def generate_trace_id(self) -> int:
            given = _ids.get()
            return given[0] if given is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            given = _ids.get()
            return given[1] if given is not None else super().generate_span_id()

    told = {"service.name": NAME, "service.instance.id": f"{socket.gethostname()}/{process}"}
    return TracerProvider(resource=Resource.create(told), id_generator=Ids())


class Traces:
    """Makes spans. Times are Unix seconds.

    Args:
        provider: makes them, with `Ids`.
        processor: what becomes of those that are over.
    """

    def __init__(self, provider: TracerProvider, processor: Any) -> None:  # noqa: ANN401 - SpanProcessor
        provider.add_span_processor(processor)
        self._provider = provider
        self._tracer = provider.get_tracer(NAME)

    def accepted(self, event: Event, began: float, ended: float) -> None:
        """A webhook was stored: the first span of its trace."""
        with _first(event.id):
            about = {"dispatcher.event": event.name, "dispatcher.room": event.room_name}
            self._span("webhook", None, began, ended, {"dispatcher.event_id": event.id, **about})

    def decided(
        self, event: Event, decisions: Sequence[Decision], began: float, ended: float
    ) -> None:
        """An event was decided; `began` is when it arrived."""
        rules = [f"{each.rule}: {each.reason}" for each in decisions]
        about: dict[str, Any] = {"dispatcher.room": event.room_name, "dispatcher.decisions": rules}
        self._span("decide", _within(event.id), began, ended, about)

    def moved(self, dispatch: Dispatch) -> None:
        """A dispatch has come to a state: one that its agent has reached, or never will."""
        if dispatch.state is State.ACTIVE and dispatch.joined_at is not None:
            ended, failed = dispatch.joined_at, False
        elif dispatch.state in _UNREACHED and dispatch.joined_at is None:
            ended = dispatch.ended_at or dispatch.created_at
            failed = dispatch.state is not State.RELEASED
        else:
            return
        about = {
            "dispatcher.dispatch": dispatch.id,
            "dispatcher.room": dispatch.room,
            "dispatcher.rule": dispatch.rule,
            "dispatcher.agent": dispatch.agent,
            "dispatcher.deployment": dispatch.deployment,
            "dispatcher.attempt": dispatch.attempt,
            "dispatcher.state": dispatch.state.value,
            **({"dispatcher.reason": dispatch.reason} if dispatch.reason else {}),
        }
        began, reached = dispatch.wanted_at, dispatch.accepted_at
        within = self._span(
            "dispatch", _within(dispatch.event_id), began, ended, about, failed=failed
        )
        self._span("accept", within, began, ended if reached is None else reached, {})
        if reached is not None:
            self._span("join", within, reached, ended, {}, failed=failed)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _span(
        self,
        name: str,
        within: Context | None,
        began: float,
        ended: float,
        about: Mapping[str, Any],
        *,
        failed: bool = False,
    ) -> Context:
        from opentelemetry.context import Context as Nothing  # noqa: PLC0415 - optional
        from opentelemetry.trace import StatusCode, set_span_in_context  # noqa: PLC0415

        span = self._tracer.start_span(
            name, within or Nothing(), start_time=_nanoseconds(began), attributes=about
        )
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(max(began, ended)))
        return set_span_in_context(span)


def ids_of(event_id: str) -> tuple[int, int]:
    """Ids of an event's trace and of its first span."""
    digest = sha256(event_id.encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


@contextmanager
def _first(event_id: str) -> Iterator[None]:
    token = _ids.set(ids_of(event_id))
    try:
        yield
    finally:
        _ids.reset(token)


def _within(event_id: str) -> Context:
    from opentelemetry.trace import (  # noqa: PLC0415 - optional
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    trace, span = ids_of(event_id)
    flags = TraceFlags(TraceFlags.SAMPLED)
    first = SpanContext(trace, span, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(first))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)

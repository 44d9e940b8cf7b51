"""Whatever a stranger sends, or VideoSDK signs, it is an event, none, or one of the refusals."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from service.verify import Forged, NotAnEvent, Unsigned
from service.verify_videosdk import verify_videosdk
from tests.service.videosdk import KEY, signature

FIELDS = ["meetingId", "sessionId", "participantId", "participantName", "start", "end"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
OVERLAID = st.dictionaries(st.sampled_from(FIELDS), VALUES | st.text(), max_size=2).map(
    lambda over: {**dict.fromkeys(FIELDS[:4], "a"), **over}
)
"""Data as it should be, but for two fields at most."""
TYPES = st.sampled_from(
    ["session-started", "session-ended", "participant-joined", "participant-left", "x", 7, None]
)


def read(raw, given):
    public = KEY.public_key()
    return verify_videosdk(raw, given, public, project="vkey", received_at=1e9)


@settings(deadline=None)
@given(st.binary(max_size=200), st.none() | st.text(max_size=400))
def test_strangers_are_refused(raw, given):
    with contextlib.suppress(Unsigned, Forged):
        read(raw, given)
        raise AssertionError("accepted without a signature")


@settings(deadline=None)
@given(VALUES | OVERLAID, TYPES)
def test_signed_json_of_any_shape_is_an_event_or_not(data, kind):
    raw = json.dumps({"webhookType": kind, "data": data}).encode()
    with contextlib.suppress(NotAnEvent):
        event = read(raw, signature(raw))
        if event is not None:
            json.dumps(event.to_json(), allow_nan=False).encode()
            (event.room_name + event.room_sid + event.id).encode()
            assert 0 <= event.at <= 1e9


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_signed_bytes_of_any_kind_are_refused_as_no_event(raw):
    with contextlib.suppress(NotAnEvent):
        assert read(raw, signature(raw)) is None

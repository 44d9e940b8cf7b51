"""Whatever a stranger sends, it is one of five refusals and never another error."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from service.verify import Forged, NotAnEvent, Stale, UnknownKey, Unsigned, verify
from tests.service.signed import KEY, SECRET, token
from workers.settings import load_settings

SETTINGS = load_settings(
    {"LIVEKIT_URL": "ws://x", "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["event", "id", "room", "participant", "track", "createdAt", "created_at", "name",
             "sid", "attributes", "permission", "metadata", "egressInfo", "kind", "project"]
        ) | st.text(max_size=8),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip
REFUSALS = (Unsigned, UnknownKey, Stale, Forged, NotAnEvent)


@given(st.binary(max_size=200), st.none() | st.text(max_size=200))
def test_strangers_are_refused(raw, authorization):
    with contextlib.suppress(*REFUSALS):
        verify(raw, authorization, SETTINGS)
        raise AssertionError("accepted without a signature")


@given(JSON)
def test_claims_of_any_shape_are_refused_or_verified(claims):
    if isinstance(claims, dict):
        with contextlib.suppress(*REFUSALS):
            verify(b"{}", token(b"{}", **claims), SETTINGS)


@given(JSON, st.sampled_from(["participant_joined", "track_published", "egress_ended", 7]))
def test_signed_json_of_any_shape_is_an_event_or_not(body, name):
    if isinstance(body, dict):
        body = {**body, "event": name}
    raw = json.dumps(body).encode()
    with contextlib.suppress(NotAnEvent):
        event = verify(raw, token(raw), SETTINGS).event
        json.dumps(event.to_json(), allow_nan=False).encode()
        (event.room_name + event.id).encode()


@given(st.binary(max_size=300))
def test_signed_bytes_of_any_kind_are_an_event_or_not(raw):
    with contextlib.suppress(NotAnEvent):
        verify(raw, token(raw), SETTINGS)

"""The route. Run as `gunicorn tests.benchmarks.baseline.app:app`."""

from __future__ import annotations

import os

from flask import Flask, abort, request
from livekit.api import TokenVerifier, WebhookReceiver
from redis import Redis
from rq import Queue

from tests.benchmarks.baseline.jobs import dispatch

app = Flask(__name__)
queue = Queue("webhooks", connection=Redis.from_url(os.environ["REDIS_URL"]))
receiver = WebhookReceiver(TokenVerifier())  # it takes LIVEKIT_API_KEY and LIVEKIT_API_SECRET


@app.post("/webhooks/livekit")
def livekit() -> tuple[str, int]:
    """Verify the event and enqueue it."""
    try:
        event = receiver.receive(
            request.get_data(as_text=True), request.headers.get("Authorization", "")
        )
    except Exception:  # noqa: BLE001 - the receiver raises bare ones
        abort(401)
    queue.enqueue(dispatch, event.event, event.room.name, result_ttl=0)
    return "", 200

from __future__ import annotations

import pytest

from service.web import create_app
from tests.service.signed import URL


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_405_and_say_which_is_allowed(client, method):
    answer = client.open(URL, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.content_type == "application/problem+json"


def test_other_paths_are_404(client):
    answer = client.get("/nothing/here")
    assert answer.status_code == 404
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:not-found"
    assert answer.json["status"] == 404


def test_what_nobody_expected_is_500_without_its_words(settings):
    app = create_app(settings)

    @app.get("/broken")
    def broken():
        raise RuntimeError("the inner life of the service")

    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert answer.json["type"] == "urn:livekit-dispatcher:problem:internal"
    assert "inner life" not in answer.text

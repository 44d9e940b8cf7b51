"""Every route is in the OpenAPI document, and answers as the document says, whatever is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS

from service.api import PREFIX
from service.web import create_app
from tests.service.signed import ADMIN_TOKEN
from tests.service.videosdk import PINNED
from workers.settings import load_settings

if TYPE_CHECKING:
    from flask import Flask

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
VIEWER_TOKEN = "who-only-looks"
EXAMPLES = 25


@pytest.fixture
def app(environ: dict[str, str]) -> Flask:
    return create_app(load_settings({**environ, **PINNED, "DISPATCHER_VIEWER_TOKEN": VIEWER_TOKEN}))


def document(app: Flask) -> dict:
    return app.test_client().get(f"{PREFIX}/openapi.json", headers=BEARER).get_json()


def test_every_route_is_described_and_nothing_else(app: Flask) -> None:
    told = {
        (path, method.upper()) for path, each in document(app)["paths"].items() for method in each
    }
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith((PREFIX, "/webhooks", "/healthz", "/readyz", "/metrics"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert told == routed - {(f"{PREFIX}/openapi.json", "GET")}


def test_each_operation_has_a_name_of_its_own_and_words(app: Flask) -> None:
    operations = [o for path in document(app)["paths"].values() for o in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for operation in operations)


def test_a_change_may_be_refused_and_what_only_reads_may_not(app: Flask) -> None:
    for path, each in document(app)["paths"].items():
        for method, operation in each.items():
            words = operation["responses"].get("403", {}).get("description", "")
            refused = method != "get" and path.startswith(PREFIX)
            assert ("`read-only`" in words, "`csrf`" in words) == (refused, refused), path


@pytest.mark.parametrize("token", [ADMIN_TOKEN, VIEWER_TOKEN])
def test_answers_are_as_the_document_says(app: Flask, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", app, headers=bearer)
    checks = [
        check
        for check in CHECKS.get_all()
        if check.__name__
        in {
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_schema_conformance",
        }
    ]
    assert len(checks) == 4
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy())
        def holds(case) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=bearer, checks=checks)

        holds()
    assert tried > 15 * len(document(app)["paths"])

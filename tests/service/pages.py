"""Somebody at the dashboard, without a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from tests.service.signed import ADMIN_TOKEN

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse


def form_text(page: str, name: str = "csrf") -> str:
    """The value of a page's hidden field."""
    [value, *_] = re.findall(rf'name="{name}" value="([^"]*)"', page)
    return unescape(value)


def sign_in(
    client: FlaskClient, token: str = ADMIN_TOKEN, *, to: str = "/", **headers: str
) -> TestResponse:
    """Fill in the form, as a browser does; the answer to it."""
    page = client.get("/sign-in", query_string={"next": to}, headers=headers).text
    given = {"csrf": form_text(page), "next": to, "token": token}
    return client.post("/sign-in", data=given, headers=headers)

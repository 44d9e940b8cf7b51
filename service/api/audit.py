"""`/api/v1/audit`: who has done what by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Acts
from service.api.query import LimitQuery, read_query
from workers.audit import Audit

if TYPE_CHECKING:
    import redis


def audit(redis: redis.Redis) -> Blueprint:
    """The route."""
    routes = Blueprint("audit", __name__)

    @routes.get("/audit")
    @described(Described(Acts, query=LimitQuery, problems=(problems.BAD_QUERY, *STORE)))
    def listed() -> Response:
        """The last manual acts, newest first: at most a thousand, of the last 90 days."""
        found = Audit(redis).last(read_query(LimitQuery).limit)
        return answer(Acts.model_validate({"audit": found}))

    return routes

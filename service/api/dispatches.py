"""`/api/v1/dispatches`: what was dispatched, in every room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from rules.problems import quoted
from service import problems
from service.api.described import STORE, Described, answer, described
from service.api.models import Dispatches, OneDispatch
from service.api.query import DispatchesQuery, page_of
from service.problems import Problem
from workers.ledger import Ledger
from workers.orders import Orders

if TYPE_CHECKING:
    import redis


def dispatches(redis: redis.Redis) -> Blueprint:
    """The routes that tell of dispatches."""
    routes = Blueprint("dispatches", __name__)
    ledger = Ledger(redis)

    @routes.get("/dispatches")
    @described(Described(Dispatches, query=DispatchesQuery, problems=(problems.BAD_QUERY, *STORE)))
    def listed() -> Response:
        """Dispatches, newest first.

        A page may be shorter than its limit and have a next one: a request looks at a bounded
        number of dispatches.
        """
        page = page_of(ledger.dispatches, DispatchesQuery)
        return answer(Dispatches.model_validate({"dispatches": page.items, "next": page.next}))

    @routes.get("/dispatches/<dispatch_id>")
    @described(Described(OneDispatch, problems=(problems.NOT_FOUND, *STORE)))
    def shown(dispatch_id: str) -> Response:
        """One dispatch with its history."""
        found = Orders(redis).shown(dispatch_id)  # those too that no worker has taken up yet
        if found is None:
            detail = f"There is no dispatch {quoted(dispatch_id)}, or it is no longer kept."
            raise Problem(problems.NOT_FOUND, detail)
        return answer(OneDispatch.model_validate(found))

    return routes

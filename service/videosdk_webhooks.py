"""`POST /webhooks/videosdk`: the same as LiveKit's route, for what VideoSDK has signed.

Where the key of a signature is not at hand, VideoSDK is asked for it first, and the webhook waits
for that: its sender may not send it again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from flask import Blueprint, Response, request

from service import problems
from service.api.described import Described, described
from service.api.models import Stored
from service.bodies import json_body
from service.problems import Problem
from service.signing_key import FETCH_SECONDS, SigningKey
from service.taking import ALWAYS
from service.verify_videosdk import HEADER, KeyMissing, Misfit, verify_videosdk

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.taking import Taking
    from workers.videosdk_account import VideoSdkAccount

PATH: Final = "/webhooks/videosdk"

_UNVERIFIED: Final = (
    problems.NOT_CONFIGURED,
    problems.SIGNATURE_MISSING,
    problems.SIGNATURE_INVALID,
    problems.SIGNING_KEY_MISSING,
)


def videosdk_webhooks(
    account: VideoSdkAccount | None,
    taking: Taking,
    monotonic: Callable[[], float] = time.monotonic,
) -> Blueprint:
    """The routes VideoSDK posts to.

    Args:
        account: the one that is configured.
        taking: what becomes of its webhooks.
        monotonic: a clock that is never set, seconds.
    """
    routes = Blueprint("videosdk_webhooks", __name__)
    taking.see_to(routes, "videosdk", _UNVERIFIED)
    key = SigningKey(account, monotonic) if account is not None else None
    take = _refuse if account is None or key is None else partial(_take, account, key, taking)

    @routes.post(PATH, provide_automatic_options=False)
    @described(
        Described(
            Stored,
            problems=(*_UNVERIFIED, *ALWAYS),
            headers=((HEADER, "RSA-SHA256 of the body by VideoSDK's key, in base64."),),
            is_open=True,
        )
    )
    def videosdk() -> Response:
        """Take a webhook that VideoSDK has signed: `videosdk-signature` is over its body.

        Once it is answered with 200 it is stored.
        """
        return take()

    return routes


def _refuse() -> NoReturn:
    raise Problem(
        problems.NOT_CONFIGURED,
        "VideoSDK is not configured here: set VIDEOSDK_API_KEY and VIDEOSDK_SECRET,"
        " or VIDEOSDK_TOKEN.",
    )


def _take(account: VideoSdkAccount, key: SigningKey, taking: Taking) -> Response:
    """Take the webhook in this request; with another key, where the one at hand does not fit."""
    read = partial(
        verify_videosdk,
        json_body("VideoSDK sends application/json."),
        request.headers.get(HEADER),
        project=account.api_key,
        received_at=time.time(),
    )
    tried = key.now
    try:
        event = read(tried)
    except (KeyMissing, Misfit):
        newer = key.newer(tried)
        if newer is None:
            raise
        return taking.take_after(newer, FETCH_SECONDS, account.id, lambda: read(key.now))
    return taking.take(account.id, event)

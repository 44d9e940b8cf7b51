"""Sessions of people who have signed in: a signed text in a cookie, which expires.

The key is derived from the admin token. So any number of web processes agree on who is signed in,
and a new token signs everybody out. Of a session nothing is kept, unless somebody signs out before
it is over: then its id is, for as long as it would have lasted.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from workers import keys

if TYPE_CHECKING:
    import redis

COOKIE: Final = "lkd_session"
LIFE_SECONDS: Final = 7 * 86400
CSRF_HEADER: Final = "X-CSRF-Token"
FORM_SECONDS: Final = 3600
"""How long a sign-in form is good for."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that has shown the token. `until` is Unix seconds."""

    id: str
    until: float
    csrf: str
    """What every form of this session carries, and no other site can know."""


class Sessions:
    """Begins, recognises and ends sessions.

    Args:
        token: the admin token; None lets nobody in.
        redis: where it is noted that a session was ended.
    """

    def __init__(self, token: str | None, redis: redis.Redis) -> None:
        self._token = token
        self._redis = redis
        self._key = hashlib.sha256(b"livekit-dispatcher sessions\0" + (token or "").encode())
        self._sessions = URLSafeTimedSerializer(self._key.digest(), salt="session")
        self._forms = URLSafeTimedSerializer(self._key.digest(), salt="sign-in form")

    def is_token(self, given: str) -> bool:
        """Whether somebody knows the admin token; it takes as long whatever is wrong with it."""
        token = self._token
        return token is not None and hmac.compare_digest(given.encode(), token.encode())

    def begin(self) -> str:
        """The text of a new session, for the cookie."""
        return self._sessions.dumps(secrets.token_urlsafe(16))

    def read(self, text: str) -> Session | None:
        """The session of a cookie's text; None if it is none, or over. Nobody may have ended it."""
        found = self._loaded(self._sessions, text, LIFE_SECONDS)
        if found is None:
            return None
        session_id, began = found
        return Session(session_id, began + LIFE_SECONDS, self._csrf(session_id))

    def is_ended(self, session: Session) -> bool:
        """Whether somebody has signed out of it.

        Raises:
            RedisError: Redis could not be reached.
        """
        return bool(self._redis.exists(keys.SIGNED_OUT + session.id))

    def end(self, session: Session) -> None:
        """Sign out of it, everywhere its text may have been copied to.

        Raises:
            RedisError: Redis could not be reached.
        """
        seconds = max(1, round(session.until - time.time()))
        self._redis.set(keys.SIGNED_OUT + session.id, "", ex=seconds)

    def is_csrf(self, session: Session, given: str) -> bool:
        """Whether a change was asked for by a page of this session."""
        return hmac.compare_digest(given.encode(), session.csrf.encode())

    def form(self) -> str:
        """A text for a sign-in form, and for the cookie beside it."""
        return self._forms.dumps(secrets.token_urlsafe(16))

    def is_form(self, given: str, cookie: str) -> bool:
        """Whether a sign-in form is one that this browser was given lately."""
        same = hmac.compare_digest(given.encode(), cookie.encode())
        return same and self._loaded(self._forms, given, FORM_SECONDS) is not None

    def _csrf(self, session_id: str) -> str:
        return hmac.new(self._key.digest(), f"csrf {session_id}".encode(), "sha256").hexdigest()

    def _loaded(
        self, texts: URLSafeTimedSerializer, text: str, seconds: int
    ) -> tuple[str, float] | None:
        if self._token is None:
            return None
        try:
            loaded: tuple[Any, Any] = texts.loads(text, max_age=seconds, return_timestamp=True)
        except BadSignature:  # an expired one is one too
            return None
        return str(loaded[0]), loaded[1].timestamp()

"""Sessions of people who have signed in: a signed text in a cookie, which expires.

The key is derived from the token that opened it. So any number of web processes agree on who is
signed in, and a new token signs everybody out. Of a session nothing is kept, unless somebody signs
out before it is over: then its id is, for as long as it would have lasted.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
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
CLOCKS_SECONDS: Final = 60
"""How far the clocks of web hosts may differ."""


class Role(StrEnum):
    """What a token allows."""

    ADMIN = "admin"
    """Everything."""
    VIEWER = "viewer"
    """To look."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that has shown a token. `until` is Unix seconds."""

    id: str
    until: float
    csrf: str
    """What every form of this session carries, and no other site can know."""
    role: Role = Role.ADMIN

    @property
    def may_change(self) -> bool:
        """Whether it may do more than look."""
        return self.role is Role.ADMIN


class Sessions:
    """Begins, recognises and ends sessions.

    Args:
        token: the admin token; None lets nobody in as admin.
        redis: where it is noted that a session was ended.
        viewer_token: the same for those who may only look.
    """

    def __init__(
        self, token: str | None, redis: redis.Redis, viewer_token: str | None = None
    ) -> None:
        self._redis = redis
        given = {Role.ADMIN: token, Role.VIEWER: viewer_token}
        self._tokens = {role: text for role, text in given.items() if text is not None}
        # A viewer, who knows one of the tokens, must not be able to make the key of an admin.
        admin, viewer = token or "", viewer_token or ""
        said = {Role.ADMIN: f" sessions\0{admin}", Role.VIEWER: f" viewers\0{viewer}\0{admin}"}
        self._keys = {
            role: hashlib.sha256(f"livekit-dispatcher{said[role]}".encode()).digest()
            for role in self._tokens
        }
        self._sessions = {
            role: URLSafeTimedSerializer(key, salt="session") for role, key in self._keys.items()
        }
        of_forms = next(iter(self._keys.values()), None)
        self._forms = of_forms and URLSafeTimedSerializer(of_forms, salt="sign-in form")

    @property
    def has_viewers(self) -> bool:
        """Whether there is a token for those who may only look."""
        return Role.VIEWER in self._tokens

    def role_of(self, given: str) -> Role | None:
        """What somebody's token allows, None: nothing; it takes as long whatever is wrong."""
        same = {
            role: hmac.compare_digest(given.encode(), token.encode())
            for role, token in self._tokens.items()
        }
        return next((role for role, is_it in same.items() if is_it), None)

    def begin(self, role: Role = Role.ADMIN) -> str:
        """The text of a new session, for the cookie."""
        return self._sessions[role].dumps(secrets.token_urlsafe(16))

    def read(self, text: str) -> Session | None:
        """The session of a cookie's text; None if it is none, or over. Nobody may have ended it."""
        for role, texts in self._sessions.items():
            found = _loaded(texts, text, LIFE_SECONDS)
            if found is not None:
                session_id, began = found
                csrf = self._csrf(role, session_id)
                return Session(session_id, began + LIFE_SECONDS, csrf, role)
        return None

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
        text = secrets.token_urlsafe(16)
        return self._forms.dumps(text) if self._forms else text

    def is_form(self, given: str, cookie: str) -> bool:
        """Whether a sign-in form is one that this browser was given lately."""
        same = hmac.compare_digest(given.encode(), cookie.encode())
        return same and bool(self._forms and _loaded(self._forms, given, FORM_SECONDS))

    def _csrf(self, role: Role, session_id: str) -> str:
        return hmac.new(self._keys[role], f"csrf {session_id}".encode(), "sha256").hexdigest()


def _loaded(texts: URLSafeTimedSerializer, text: str, seconds: int) -> tuple[str, float] | None:
    """What was signed, and when, Unix seconds; None if it was not, or too long ago."""
    try:
        loaded: tuple[Any, Any] = texts.loads(text, return_timestamp=True)
    except BadSignature:
        return None
    at = loaded[1].timestamp()
    # `max_age` would refuse what a host has signed whose clock is a second ahead.
    return (str(loaded[0]), at) if -CLOCKS_SECONDS <= time.time() - at <= seconds else None

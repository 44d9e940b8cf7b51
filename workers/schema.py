"""The version of what is kept in Redis: one number, raised only when older processes cannot read
what newer ones write.

Fields that come new do not raise it: older processes leave alone, and keep, what they do not know.
So two versions work side by side while one replaces the other, but over a change of this number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

SCHEMA: Final = 1
"""What this version writes, and the highest it can read."""

MIGRATIONS: Final[Mapping[int, Callable[[redis.Redis], None]]] = {}
"""By version, what brings its state to the next one. Each may die on the way, be run again, and be
run by several processes at once. There are none yet."""


class SchemaError(Exception):
    """What is kept in Redis cannot be used; the text is one line for people."""


class NewerState(SchemaError):
    """A newer version has been there."""


def agree(
    redis: redis.Redis,
    schema: int = SCHEMA,
    migrations: Mapping[int, Callable[[redis.Redis], None]] = MIGRATIONS,
) -> None:
    """Before a process works: write the version where there is none, and bring an older one up.

    Raises:
        SchemaError: it is newer than `schema`, or no number.
        RedisError: Redis could not be reached.
    """
    if redis.set(keys.SCHEMA, schema, nx=True):
        return
    found = check_schema(redis, schema)
    for version in range(schema if found is None else found, schema):
        if version in migrations:
            migrations[version](redis)
        redis.set(keys.SCHEMA, version + 1)


def check_schema(redis: redis.Redis, schema: int = SCHEMA) -> int | None:
    """The version of what is kept there; None: nothing is.

    Raises:
        SchemaError: it is newer than `schema`, or no number.
        RedisError: Redis could not be reached.
    """
    kept = redis.get(keys.SCHEMA)
    if kept is None:
        return None
    if not kept.isdigit():
        raise SchemaError(f"the Redis key {keys.SCHEMA} holds no version: another program uses it")
    found = int(kept)
    if found > schema:
        raise NewerState(
            f"the state in Redis is of schema version {found}, this version of dispatcher reads up"
            f" to {schema}: run the newer version, or let REDIS_URL lead to another database"
        )
    return found

"""The version of what Redis keeps: written once, brought up when older, respected when newer."""

from __future__ import annotations

import pytest

from workers import keys
from workers.schema import SCHEMA, NewerState, SchemaError, agree, check_schema


def test_it_is_written_by_whoever_comes_first(redis):
    assert check_schema(redis) is None
    agree(redis)
    agree(redis)
    assert (check_schema(redis), redis.ttl(keys.SCHEMA)) == (SCHEMA, -1)


def test_an_older_state_is_brought_up_step_by_step(redis):
    redis.set(keys.SCHEMA, 1)
    ran = []
    migrations = {1: lambda r: ran.append((1, r.get(keys.SCHEMA))),
                  3: lambda r: ran.append((3, r.get(keys.SCHEMA)))}  # fmt: skip
    agree(redis, 4, migrations)
    assert ran == [(1, b"1"), (3, b"3")]
    assert redis.get(keys.SCHEMA) == b"4"


def test_a_step_that_dies_is_made_again(redis):
    redis.set(keys.SCHEMA, 1)
    ran = []

    def dies_once(_):
        ran.append(1)
        if len(ran) == 1:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        agree(redis, 2, {1: dies_once})
    assert redis.get(keys.SCHEMA) == b"1"
    agree(redis, 2, {1: dies_once})
    assert (len(ran), redis.get(keys.SCHEMA)) == (2, b"2")


def test_a_newer_state_is_left_alone(redis):
    redis.set(keys.SCHEMA, SCHEMA + 1)
    with pytest.raises(NewerState, match=f"of schema version {SCHEMA + 1}.*up to {SCHEMA}: run"):
        agree(redis)
    assert redis.get(keys.SCHEMA) == str(SCHEMA + 1).encode()


@pytest.mark.parametrize("kept", ["", "one", "-1", "1.5"])
def test_what_is_no_version_is_somebody_elses(redis, kept):
    redis.set(keys.SCHEMA, kept)
    with pytest.raises(SchemaError, match="holds no version"):
        agree(redis)

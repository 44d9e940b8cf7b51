"""JSON as it is kept reads back as what it was, whatever a webhook has held."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.compact import compact

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)  # fmt: skip


class Pair(NamedTuple):
    one: str
    two: float


@given(JSON)
def test_any_json_reads_back(value: object) -> None:
    assert json.loads(compact(value)) == value


@pytest.mark.parametrize("odd", ["half a pair \ud800", 2**70, -(2**70), "\x00", "é"])
def test_what_orjson_refuses_is_written_all_the_same(odd: object) -> None:
    assert json.loads(compact({"a": [odd]})) == {"a": [odd]}


@pytest.mark.parametrize("odd", ["", "\ud800"])
def test_mappings_and_tuples_stand_for_objects_and_arrays(odd: str) -> None:
    value = {"a": MappingProxyType({"b": 1}), "c": (Pair("x", 1.5),), "odd": odd}
    assert json.loads(compact(value)) == {"a": {"b": 1}, "c": [["x", 1.5]], "odd": odd}


def test_nothing_stands_between() -> None:
    assert compact({"a": [1, 2], "b": None}) == '{"a":[1,2],"b":null}'

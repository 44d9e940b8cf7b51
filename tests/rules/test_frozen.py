"""Frozen dataclasses are changed as `dataclasses.replace` changes them, and stay frozen."""

from __future__ import annotations

import dataclasses

import pytest

from rules.frozen import made, replace


@dataclasses.dataclass(frozen=True)
class _Point:
    x: int
    y: int = 2


@dataclasses.dataclass(frozen=True, slots=True)
class _Slotted:
    x: int


def test_a_change_is_seen_in_the_new_one_only() -> None:
    point = _Point(1)

    moved = replace(point, y=5)

    assert (moved, point) == (_Point(1, 5), _Point(1, 2))
    assert hash(moved) == hash(_Point(1, 5))


def test_one_that_was_changed_or_made_is_frozen() -> None:
    for point in (replace(_Point(1), y=5), made(_Point, {"x": 1, "y": 5})):
        with pytest.raises(dataclasses.FrozenInstanceError):
            point.y = 6  # type: ignore[misc]  # that is what is tested


def test_no_field_is_added() -> None:
    with pytest.raises(TypeError, match="_Point has no z"):
        replace(_Point(1), z=3)  # type: ignore[call-arg]  # that is what is tested


def test_one_with_slots_is_changed_too() -> None:
    assert replace(_Slotted(1), x=2) == _Slotted(2)

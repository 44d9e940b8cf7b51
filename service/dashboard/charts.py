"""Small charts of the last hour: a bar for each minute, as SVG attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HEIGHT: Final = 44.0
_GAP: Final = 0.3
"""Of a bar's place."""


@dataclass(frozen=True, slots=True)
class Column:
    """A minute's bar; `x` and `width` are percents, `y` and `height` pixels."""

    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure over the last hour."""

    name: str
    total: int
    most: int
    last: int
    """In the last minute that is over."""
    columns: tuple[Column, ...]

    @property
    def words(self) -> str:
        """What a picture of it says to whoever does not see it."""
        return (
            f"{self.name} a minute over the last hour: {self.total} together,"
            f" at most {self.most}, {self.last} in the last full minute"
        )


def chart(name: str, values: Sequence[int]) -> Chart:
    """Draw values, oldest first; the last minute is not over."""
    most = max(values, default=0)
    place = 100 / max(1, len(values))
    columns = tuple(
        _column(index * place, place * (1 - _GAP), value / most)
        for index, value in enumerate(values)
        if value
    )
    return Chart(name, sum(values), most, values[-2] if len(values) > 1 else 0, columns)


def _column(x: float, width: float, part: float) -> Column:
    height = max(2.0, round(part * HEIGHT, 1))
    return Column(round(x, 2), round(width, 2), round(HEIGHT - height, 1), height)

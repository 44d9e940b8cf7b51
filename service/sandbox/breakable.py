"""What stand-in servers have in common: faults that are switched on and off from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.faults import Fault, FaultName
from service.sandbox.loop import LoopBound, on_loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.sandbox.deliveries import Deliveries
    from service.sandbox.faults import Faults


class Breakable(LoopBound):
    """A stand-in server that faults befall."""

    faults: Faults
    webhooks: Deliveries

    @on_loop
    def fault(
        self,
        name: str,
        *methods: str,
        rooms: Sequence[str] = (),
        times: int | None = None,
        seconds: float = 1.0,
    ) -> Fault:
        """Switch a fault on, for all methods and rooms or for those named; see `FaultName`."""
        fault = Fault(
            FaultName(name),
            methods=frozenset(methods),
            rooms=frozenset(rooms),
            times=times,
            seconds=seconds,
        )
        self.faults.add(fault)
        return fault

    @on_loop
    def heal(self, name: str | None = None) -> None:
        """Switch the faults of this name off, or all of them; held webhooks are sent."""
        self.faults.clear(None if name is None else FaultName(name))
        self.webhooks.wake()

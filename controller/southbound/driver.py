"""The one seam to the PLC: what any protocol must offer so that the field can be read and written."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from controller.image import OWN_SIGNALS, Inputs
from controller.tags import Quality, Sample

NOTHING_OWN: Final = {name: Sample[float](None, Quality.ABSENT, 0.0) for name in OWN_SIGNALS}  # the core adds its own signals later


class Driver(Protocol):
    """A connection that carries two requests: read the whole image, write the whole command block.

    Every method returns or raises within the driver's own deadline, lets cancellation pass, and never repeats a write by itself.
    """

    @property
    def connected(self) -> bool:
        """Say whether a request may be sent; a driver that has closed itself says no."""

    async def connect(self) -> None:
        """Open a new connection, closing an old one.

        Raises:
            WireError: nobody answers within the deadline.
        """

    async def read_image(self) -> Sequence[Any]:
        """Return the whole image of one moment in the driver's own form, which ``decode`` takes.

        Raises:
            WireError: nothing, too little or something else came back.
        """

    def decode(self, image: Sequence[Any], at_s: float) -> Inputs:
        """Return what ``read_image`` gave as Inputs of process time ``at_s``, without the core's own signals."""

    async def write_block(self, registers: Sequence[int]) -> None:
        """Write the command block in one request; returning says that the PLC acknowledged it, not that it follows it.

        Raises:
            WireError: it is not known whether the block arrived.
        """

    async def close(self) -> None:
        """Close the connection; closing twice is allowed."""

"""The one seam to the PLC: what any protocol must offer so that the field can be read and written."""

from collections.abc import Sequence
from typing import Protocol


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

    async def read_image(self) -> Sequence[int]:
        """Return all registers of the image, read in one request.

        Raises:
            WireError: nothing, too little or something else came back.
        """

    async def write_block(self, registers: Sequence[int]) -> None:
        """Write the command block in one request; returning says that the PLC acknowledged it, not that it follows it.

        Raises:
            WireError: it is not known whether the block arrived.
        """

    async def close(self) -> None:
        """Close the connection; closing twice is allowed."""

"""The field as a scan sees it: ``read`` gives an image, ``write`` takes outputs, and neither fails.

A wire that does fail shows in the samples' qualities, in ``link`` and in the events.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from controller.errors import IdentityError, WireError
from controller.image import Inputs, Outputs, aged, blank
from controller.southbound import contract
from controller.southbound.contract import Event, LinkState
from controller.southbound.driver import Driver
from controller.tags import Quality, Sample
from controller.wiring import Wiring

FIRST_DELAY_S: Final = 0.1  # wall seconds before the second attempt to connect; doubled by each further one
LONGEST_DELAY_S: Final = 2.0
MAX_EVENTS: Final = 256  # between two drains; the core drains in every scan


class Field:
    """Driver and contract together.

    ``async with`` it: entering makes one attempt to connect, so that a wrong PLC is known before the first scan (see ``link.refused``);
    then a task keeps the connection. A scan waits at most for the driver's deadline in ``read`` and once more in ``write``, and never for
    a connection. Nothing is written on a connection before the PLC's identity was read on it.

    Args:
        driver: the wire.
        wiring: its ``plc_serial`` is the only PLC that is accepted.
        epoch: start number of the core, larger than at any earlier start; begun above the PLC's last one where that is larger.
        master: who asks for the lease, 1-65535.
    """

    def __init__(self, driver: Driver, wiring: Wiring, *, epoch: int, master: int) -> None:
        """Remember everything, touch nothing."""
        self._driver = driver
        self._memory = contract.Memory(epoch=epoch, master=master, serial=wiring.file.plc_serial)
        self._reading: Inputs | None = None  # as of the moment at which the PLC was last seen to make a new one
        self._identified = False
        self._answered = False  # the last request was
        self._withheld = False  # the last block was not sent on purpose
        self._refused = ""
        self._keeper: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.events_dropped = 0
        self.link: LinkState = self._judge(0.0)

    async def __aenter__(self) -> Self:
        """Try once to connect, then keep trying in the background."""
        await self._connect()
        self._keeper = asyncio.create_task(self._keep_connected(), name="southbound reconnect")
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        """Stop reconnecting and close the connection."""
        try:
            if self._keeper is not None:
                self._keeper.cancel()
                await asyncio.wait([self._keeper])
                if not self._keeper.cancelled():
                    self._raise_bug()
        finally:
            await self._driver.close()

    async def read(self, at_s: float, dt_s: float, own: Mapping[str, Sample[float]]) -> Inputs:
        """Return the image at process time ``at_s``; ``own`` gives the signals made in the core (``OWN_SIGNALS``).

        When the wire fails or the PLC's alive counter stands still, samples keep the time of the last good reading and become STALE at the
        tag's ``stale_s``; before the first reading all are BAD_WIRE.
        """
        self._raise_bug()
        self._memory = self._memory._replace(rebooted=False)
        if self._usable():
            try:
                self._take(await self._driver.read_image(), at_s)
            except WireError as error:
                self._lost(error)
        self.link = self._judge(at_s)
        return self._image(at_s, dt_s, own)

    async def write(self, outputs: Outputs, *, withheld: bool = False) -> None:
        """Send ``outputs`` as the next command block, with the time of the last ``read``; what becomes of it shows in ``link``.

        ``withheld`` sends nothing, so that the PLC's watchdog can be seen to act; no block counts as sent, and none is awaited.
        """
        self._raise_bug()
        if withheld != self._withheld:
            self._withheld = withheld
            self._tell(Event("withheld" if withheld else "sending", {"written": self._memory.counter}))
        if withheld or not self._usable() or not contract.may_write(self._memory, self._at_s):
            return
        self._memory, registers = contract.next_block(self._memory, outputs, self._at_s)
        try:
            await self._driver.write_block(registers)
        except WireError as error:
            self._lost(error)
        self.link = self._judge(self._at_s)

    def drain(self) -> list[Event]:
        """Return what changed since the last call."""
        events = list(self._events)
        self._events.clear()
        return events

    def _usable(self) -> bool:
        if self._identified and not self._driver.connected:
            self._lost(WireError("the PLC closed the connection"))
        return self._identified

    def _take(self, image: Sequence[Any], at_s: float) -> None:
        inputs = self._driver.decode(image, at_s)
        self._memory, events = contract.seen(self._memory, inputs, at_s)
        if self._memory.alive_at_s != at_s:  # the PLC has made nothing new since then, whatever the image says
            inputs = self._driver.decode(image, self._memory.alive_at_s)
        self._reading = inputs
        if not self._answered:
            self._answered = True
            memory = self._memory
            self._tell(Event("connected", {"boot_id": memory.boot_id, "serial": memory.serial, "lease": memory.lease}))
        for event in events:
            self._tell(event)

    def _image(self, at_s: float, dt_s: float, own: Mapping[str, Sample[float]]) -> Inputs:
        reading = self._reading or blank(at_s, dt_s, Quality.BAD_WIRE)
        return aged(reading, at_s, dt_s, own)

    def _judge(self, at_s: float) -> LinkState:
        self._at_s = at_s
        self._memory, events = contract.judged(self._memory, at_s)
        for event in events:
            self._tell(event)
        return contract.link_state(self._memory, at_s, connected=self._identified and self._answered, refused=self._refused)

    def _lost(self, error: WireError) -> None:
        if isinstance(error, IdentityError):
            self._refuse(error)
        elif self._answered:
            self._tell(Event("lost", {"why": str(error)}))
        self._answered = False
        if isinstance(error, IdentityError) or not self._driver.connected:
            self._identified = False
            self._wake.set()

    def _refuse(self, error: IdentityError) -> None:
        if self._refused != str(error):
            self._refused = str(error)
            self._tell(Event("refused", {"why": self._refused}))

    def _tell(self, event: Event) -> None:
        self.events_dropped += len(self._events) == MAX_EVENTS
        self._events.append(event)

    def _raise_bug(self) -> None:
        """Let a bug in the background task end the process here: nothing else awaits it."""
        if self._keeper is not None and self._keeper.done():
            self._keeper.result()

    async def _keep_connected(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            if self._identified:
                self._wake.clear()
                await self._wake.wait()
                delay_s = FIRST_DELAY_S
            else:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            await self._connect()

    async def _connect(self) -> None:
        """Connect and check who answers; on a failure everything is closed again."""
        try:
            await self._driver.connect()
            image = await self._driver.read_image()
            contract.check_identity(self._driver.decode(image, 0.0), self._memory.serial)
        except IdentityError as error:
            await self._driver.close()
            self._refuse(error)
        except WireError:
            await self._driver.close()
        else:
            self._identified, self._refused = True, ""
        self.link = self.link._replace(refused=self._refused)

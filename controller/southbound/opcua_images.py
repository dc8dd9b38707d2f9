"""What a subscription tells, put together to images of one moment each.

``begun`` is written before and ``plc_alive`` after everything else of an image; what has been told is one moment's image when the two
agree, and a new one when they have advanced.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from asyncua import ua

from controller.clock import wall_s
from controller.errors import WireError
from controller.southbound import nodes
from controller.southbound.nodes import Reading

ALIVE: Final = "plc_alive"
BEGUN: Final = "begun"
MAX_WAITING: Final = 256  # messages between two reads; with more of them the reader has stood still
CREEP: Final = 1e-3  # how fast the shortest way is forgotten, s/s: more than two clocks drift apart
_LAST_SEQUENCE: Final = 0xFFFF_FFFF  # after which it starts at 1


class Images:
    """The images of one subscription. Times are wall seconds.

    Args:
        names: signals that have a node.
        late_s: an image that was under way for longer than the quickest one by this is not used.
    """

    def __init__(self, names: Iterable[str], late_s: float) -> None:
        """Begin without an image."""
        present = tuple(names)
        # A server that samples its nodes one after the other in this order cannot show the halves of two images as one.
        self.order = (ALIVE, *(name for name in present if name != ALIVE), BEGUN)
        self.arrived = asyncio.Event()  # a message waits
        self.image: tuple[Reading, ...] = ()
        self.taken: tuple[float | None, ...] = ()  # alive counter and boot id of the image, empty before the first
        self.taken_at_s = 0.0
        self.told_at_s = 0.0  # when a value came last
        self._late_s = late_s
        self._waiting: deque[tuple[float, ua.PublishResult]] = deque()
        self._sequence: int | None = None
        self._pending = nodes.blank(present)
        self._begun: float | None = None
        self._sent_s: float | None = None  # on the PLC's clock, when the alive counter was written
        self._shortest_s = float("inf")  # the shortest way here; the two clocks' difference is in it
        self._way_at_s = 0.0

    def keep(self, result: ua.PublishResult) -> None:
        """Keep a message until it is drained: the library swallows what is raised in its callback."""
        if len(self._waiting) <= MAX_WAITING:
            self._waiting.append((wall_s(), result))
        self.arrived.set()

    def drain(self) -> None:
        """Take all messages over, each as a whole; raise WireError when one is missing or makes no sense."""
        self.arrived.clear()
        if len(self._waiting) > MAX_WAITING:
            raise WireError("more messages than could be kept")
        while self._waiting:
            arrived_s, result = self._waiting.popleft()
            if result.NotificationMessage.NotificationData:  # without any: it is there, and nothing has changed
                self._take(arrived_s, result.NotificationMessage)

    def half(self) -> str:
        """Return why there is no image yet, for a person; "" when there is one, or nothing has been told."""
        alive = self._pending[nodes.PLACES[ALIVE]].value
        if self.taken or (alive is None and self._begun is None):
            return ""
        shown = ["without a value" if value is None else f"{value:.0f}" for value in (self._begun, alive)]
        return f" (begun {shown[0]}, plc_alive {shown[1]})"

    def _take(self, arrived_s: float, message: ua.NotificationMessage) -> None:
        self.told_at_s = arrived_s
        if self._sequence is not None and message.SequenceNumber != self._sequence % _LAST_SEQUENCE + 1:
            raise WireError(f"message {message.SequenceNumber} came after {self._sequence}")
        self._sequence = message.SequenceNumber
        for notification in message.NotificationData:
            if isinstance(notification, ua.StatusChangeNotification):
                raise WireError(f"the PLC ends the subscription: {notification.Status.name}")
            for item in getattr(notification, "MonitoredItems", ()):
                self._put(item.ClientHandle, item.Value)
        self._commit(arrived_s)

    def _put(self, handle: int, found: ua.DataValue) -> None:
        if handle >= len(self.order):
            raise WireError(f"a value with handle {handle} that was never asked for")
        name, value = self.order[handle], None if found.Value is None else found.Value.Value
        status = 0 if found.StatusCode is None else found.StatusCode.value
        if name == BEGUN:
            self._begun = value if not status and isinstance(value, int) and not isinstance(value, bool) else None
            return
        self._pending[nodes.PLACES[name]] = nodes.reading(name, value, status)
        if name == ALIVE:
            self._sent_s = None if found.SourceTimestamp is None else found.SourceTimestamp.timestamp()

    def _commit(self, arrived_s: float) -> None:
        alive = self._pending[nodes.PLACES[ALIVE]].value
        seen = (alive, self._pending[nodes.PLACES["plc_boot_id"]].value)
        if alive is None or alive != self._begun or seen == self.taken or self._is_late(arrived_s):
            return
        self.taken, self.image, self.taken_at_s = seen, tuple(self._pending), arrived_s

    def _is_late(self, arrived_s: float) -> bool:
        """Say whether the image was under way for longer than usual: what piled up in front of a stalled wire is no news."""
        if self._sent_s is None:
            return False
        way_s = arrived_s - self._sent_s  # plus a constant: wall_s and the PLC's clock count from different moments
        self._shortest_s = min(way_s, self._shortest_s + CREEP * (arrived_s - self._way_at_s))
        self._way_at_s = arrived_s
        return way_s - self._shortest_s > self._late_s

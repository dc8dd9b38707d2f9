"""Tells systemd that the service is ready, alive or stopping: sd_notify in a few lines."""

import os
import socket


def notify(state: str) -> bool:
    """Send ``state`` (``READY=1``, ``WATCHDOG=1``, ``STATUS=...``, ``STOPPING=1``) to systemd; return False when nobody asked for it.

    ``WATCHDOG=1`` belongs behind a complete scan and nowhere else: beaten from a timer it would keep a hung core alive.

    Raises:
        OSError: systemd's socket is named but does not take the message.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
        sender.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)  # @: the abstract namespace
    return True


def watchdog_s() -> float | None:
    """Return after how long without ``WATCHDOG=1`` systemd kills the service, s; None when it does not watch this process."""
    pid, micros = os.environ.get("WATCHDOG_PID"), os.environ.get("WATCHDOG_USEC")
    if micros is None or pid not in (None, str(os.getpid())):
        return None
    return int(micros) / 1e6

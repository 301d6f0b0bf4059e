"""Messages to systemd (sd_notify(3)): ready, stopping, still alive. Without systemd they go nowhere."""

import os
from collections.abc import Mapping


def notify(*words: str, environ: Mapping[str, str]) -> bool:
    """Send `READY=1` and the like. False where nobody listens, or cannot be reached: that is never a reason to fail."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    import socket

    # An @ stands for the NUL byte that an abstract address begins with.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto("\n".join(words).encode(), path)
    except OSError:
        return False
    return True


def watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Seconds within which systemd must hear from this process (sd_watchdog_enabled(3)), None for never."""
    pid = environ.get("WATCHDOG_PID", "")
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or not int(usec) or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6

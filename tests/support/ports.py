"""Ports of 127.0.0.1 that nothing listened on a moment ago."""

import os
import socket

FIRST = 20_000
COUNT = 12_000
_next = os.getpid() * 16


def is_free(port):
    with socket.socket() as probe:
        # As servers do: what an ended one left in TIME_WAIT does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count, also=0):
    """So many ports below those that the system gives out; with `also`, the ports that far above are free too."""
    global _next
    found = []
    for _ in range(COUNT):
        port = FIRST + _next % COUNT
        _next += 1
        if is_free(port) and (not also or is_free(port + also)):
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"no {count} free ports")

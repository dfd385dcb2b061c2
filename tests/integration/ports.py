"""Ports for servers that are told theirs before they start."""

import itertools
import os
import socket

FIRST, NUM_PORTS = 15_000, 15_000
"""Below the ports that systems give to connections, which come and go by the hundred while tests run."""
_places = itertools.count(os.getpid() * 20)  # each test process looks elsewhere


def free_port() -> int:
    """Return a port that nobody listens on, and that this process has not been given before."""
    for place in itertools.islice(_places, NUM_PORTS):
        port = FIRST + place % NUM_PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("all ports are taken")

"""The sockets under a gateway's connections, by which whoever waits for an answer can be made to wait no longer.

PostgreSQL's own time limits hold only where its processes run: one that was stopped, or whose disk hangs, leaves its
clients waiting for ever, and the keep-alives of the network find nothing wrong with it.
"""

import contextlib
import os
import socket
import threading

import psycopg


class Line:
    """Of one connection."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))  # a number of its own, which nobody else closes

    def cut(self) -> None:
        """As if the network had gone: who waits for an answer hears at once that the connection is lost."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class Lines:
    """Those of several connections. May be used by any thread."""

    def __init__(self) -> None:
        self._open: set[Line] = set()
        self.are_cut = False
        self._in_turn = threading.Lock()

    def add(self, connection: psycopg.Connection[object]) -> Line:
        line = Line(connection.fileno())
        with self._in_turn:
            self._open.add(line)
            if self.are_cut:
                line.cut()
        return line

    def remove(self, line: Line) -> None:
        """Its connection is closed, or about to be."""
        with self._in_turn:
            self._open.discard(line)
            line.close()

    def cut(self) -> None:
        """All of them, and from now on any that is added."""
        with self._in_turn:
            self.are_cut = True
            for line in self._open:
                line.cut()

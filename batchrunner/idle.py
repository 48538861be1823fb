"""Open connections that wait for the next request to the same place."""

from collections import deque
from time import monotonic

from aiohttp.connector import Connection

LONGEST = 15.0  #: seconds; something on the way may have forgotten what was idle for longer


class Idle:
    """The one that was used last is used first, so that where fewer are needed the rest grow old.

    aiohttp's own pool sets a timer and looks for those who wait for it, for every request; here
    nobody waits, since the leases say how many connections there are.
    """

    def __init__(self) -> None:
        self._connections: deque[tuple[Connection, float]] = deque()  #: and since when

    def take(self) -> Connection | None:
        """One that can be used again; those that cannot are closed.

        One on which something came that nobody had asked for cannot: it would be taken for the
        reply to the next request, another job's answer.
        """
        while self._connections:
            connection, since = self._connections.pop()
            protocol = connection.protocol
            if (
                protocol is not None
                and protocol.is_connected()
                and not protocol.should_close
                and monotonic() <= since + LONGEST
            ):
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection) -> None:
        """Have it for later, and one less that is too old."""
        now = monotonic()
        self._connections.append((connection, now))
        oldest, since = self._connections[0]
        if now > since + LONGEST:
            self._connections.popleft()
            oldest.close()

    def release(self) -> None:
        """Give them all back to their connector, which closes them."""
        while self._connections:
            self._connections.pop()[0].release()

"""A server with a rate limit, in a process of its own, that counts what it had to reject.

One line in, one line out: `call` is answered `200` or `429` after a random latency; `verdict` is
answered with what was seen, as JSON. A call counts when it arrives. It knows none of the limiters.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Literal

Mode = Literal["sliding", "fixed"]

SHORTEST_S = 0.005
LONGEST_S = 0.300


@dataclass
class Judge:
    """Counts calls in windows of `window_s`, each allowing `calls`; rejected ones do not count."""

    calls: int
    window_s: float
    mode: Mode
    accepted: list[float] = field(default_factory=list)
    rejected: int = 0
    latencies: list[float] = field(default_factory=list)
    _window: deque[float] = field(default_factory=deque)

    def admits(self, now: float) -> bool:
        """Whether the call that arrives now is within the limit."""
        while self._window and not self._still_counts(self._window[0], now):
            self._window.popleft()
        if len(self._window) >= self.calls:
            self.rejected += 1
            return False
        self._window.append(now)
        self.accepted.append(now)
        return True

    def verdict(self) -> dict[str, float]:
        """What was seen.

        `utilisation` is the rate of accepted calls as a share of the limit, by the mean time in
        which as many further calls as the limit allows were accepted. Unlike a count over the
        run, this does not depend on how many bursts happen to fall into it.
        """
        lags = [
            later - earlier
            for earlier, later in zip(self.accepted, self.accepted[self.calls :], strict=False)
        ]
        return {
            "accepted": len(self.accepted),
            "rejected": self.rejected,
            "latency_s": sum(self.latencies) / max(1, len(self.latencies)),
            "utilisation": self.window_s * len(lags) / sum(lags) if lags else 0.0,
        }

    def _still_counts(self, at: float, now: float) -> bool:
        if self.mode == "sliding":
            return now - at < self.window_s
        return at // self.window_s == now // self.window_s


def serve(judge: Judge, port: Connection) -> None:
    """Serve on a free port, which is sent through `port`, until the process is ended."""
    asyncio.run(_serve(judge, port))


async def _serve(judge: Judge, port: Connection) -> None:
    chance = random.Random(7)
    loop = asyncio.get_running_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line == b"verdict\n":
                writer.write(json.dumps(judge.verdict()).encode() + b"\n")
                continue
            admitted = judge.admits(loop.time())
            latency = chance.uniform(SHORTEST_S, LONGEST_S)
            judge.latencies.append(latency)
            await asyncio.sleep(latency)
            writer.write(b"200\n" if admitted else b"429\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()

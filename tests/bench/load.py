"""Clients that ask one path again and again over kept-alive connections; prints requests/s and p99 in ms.

`python load.py PORT PATH --token T --clients 16 --seconds 2 --most 100000`: bounded in time and in number.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")


class Client(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last is whole."""

    def __init__(self, request: bytes, until: float, share: int) -> None:
        self.request, self.until, self.left = request, until, share
        self.took: list[float] = []
        self.statuses: set[bytes] = set()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer, self.need = transport, bytearray(), 0
        self.ask()

    def ask(self) -> None:
        self.begun = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.need:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self.statuses.add(bytes(self.buffer[9:12]))
            length = _LENGTH.search(self.buffer, 0, end)
            self.need = end + 4 + (int(length[1]) if length else 0)
        if len(self.buffer) >= self.need:
            now = time.perf_counter()
            self.took.append(now - self.begun)
            self.buffer.clear()
            self.need, self.left = 0, self.left - 1
            if now < self.until and self.left:
                self.ask()
            else:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--most", type=int, default=100_000)
    options = parser.parse_args()
    headers = "".join(f"{header}\r\n" for header in options.header)
    request = f"GET {options.path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()
    loop, begun = asyncio.get_running_loop(), time.perf_counter()
    clients = [
        Client(request, begun + options.seconds, options.most // options.clients) for _ in range(options.clients)
    ]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", options.port)
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), options.seconds + 30)
    wall = time.perf_counter() - begun
    took = sorted(one for client in clients for one in client.took)
    print(
        json.dumps(
            {
                "rate": len(took) / wall,
                "p99_ms": took[len(took) * 99 // 100] * 1000 if took else None,
                "statuses": sorted(status.decode() for client in clients for status in client.statuses),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())

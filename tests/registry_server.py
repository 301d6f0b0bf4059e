"""Registries on loopback: a WHOIS server that does what it is told, and what RDAP servers say, for `web_server`."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from web_server import CLOSE, HANG, RESET, End, Step, answer

RDAP = "application/rdap+json"


class WhoisServer:
    """Use it as `with WhoisServer() as server:`. A question that has no script gets `No match`."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self._scripts: dict[str, list[Iterable[Step] | str]] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> WhoisServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._threads.append(threading.Thread(target=self._accept, daemon=True))
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    @property
    def place(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def on(self, question: str, *scripts: Iterable[Step] | str) -> None:
        """What this question gets: each time the next script or text, the last one ever after."""
        self._scripts[question] = list(scripts)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            sock.settimeout(10)
            question = sock.makefile("rb").readline().decode().rstrip("\r\n")
            self.questions.append(question)
            scripts = self._scripts.get(question, ["No match\r\n"])
            script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
            for step in [script.encode()] if isinstance(script, str) else script:
                if self._stop.is_set() or not self._play(sock, step):
                    return

    def _play(self, sock: socket.socket, step: Step) -> bool:
        if isinstance(step, bytes):
            sock.sendall(step)
        elif step is HANG:
            self._stop.wait()
        elif step is RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif step is CLOSE:
            return False
        elif not isinstance(step, End):
            self._stop.wait(step)
        return True


def domain_object(domain: str, expires: Any = "2027-03-01T10:00:00Z", **more: Any) -> dict[str, Any]:
    """An RDAP domain object (RFC 9083, 5.3) as registries send it; `expires=None` leaves the date out."""
    events = [
        {"eventAction": "registration", "eventDate": "2011-03-01T10:00:00Z"},
        {"eventAction": "last changed", "eventDate": "2025-02-11T09:00:10Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-01-05T12:00:00Z"},
    ]
    if expires is not None:
        events.insert(1, {"eventAction": "expiration", "eventDate": expires})
    return {
        "objectClassName": "domain",
        "handle": "D1234567-EX",
        "ldhName": domain.upper(),
        "rdapConformance": ["rdap_level_0"],
        "status": ["client transfer prohibited"],
        "events": events,
        "entities": [
            {"objectClassName": "entity", "roles": ["registrant"]},
            {
                "objectClassName": "entity",
                "handle": "9999",
                "roles": ["registrar"],
                "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Example Registrar, LLC"]]],
            },
        ],
        "secureDNS": {"delegationSigned": False},
        **more,
    }


def rdap(body: Any, status: int = 200, **headers: str) -> list[Step]:
    """An answer of an RDAP server."""
    content = body if isinstance(body, str) else json.dumps(body)
    return answer(status, content, {"Content-Type": RDAP, **{k.replace("_", "-"): v for k, v in headers.items()}})


def not_found() -> list[Step]:
    return rdap({"rdapConformance": ["rdap_level_0"], "errorCode": 404, "title": "Not Found"}, 404)

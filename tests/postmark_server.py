"""A stand-in for Postmark's API on loopback: it checks requests as the real one does, keeps what it accepts, and can be
told, request by request, to go wrong. By hand: `python tests/postmark_server.py 8025 --token TOKEN`."""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ADDRESS = re.compile(r"(?:[^<>@]*<)?[A-Za-z0-9.!#$%&'`*+\-/=^_{}|~]+@[A-Za-z0-9.-]+>?")
WRONG_TOKEN = "The Server Token you provided in the X-Postmark-Server-Token request header was invalid."
INACTIVE = (
    "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: {}. Inactive"
    " recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."
)


@dataclass(frozen=True)
class Step:
    """How one request is met. `accepts`: it is handled as usual before. `then`: answer, hang, drop, drip."""

    then: str = "answer"
    accepts: bool = True
    status: int | None = None  # None: the usual answer
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(status: int, body: Any = b"", **headers: str) -> Step:
    """This answer, nothing accepted. `Retry_After="7"` is the header Retry-After."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Step("answer", False, status, content, {name.replace("_", "-"): value for name, value in headers.items()})


def error(status: int, code: int, message: str = "Scripted", **headers: str) -> Step:
    """The API's error object for the whole request."""
    return answer(status, {"ErrorCode": code, "Message": message}, **headers)


ACCEPT = Step()
ACCEPT_THEN_HANG = Step("hang")
ACCEPT_THEN_DROP = Step("drop")
ACCEPT_THEN_DRIP = Step("drip")  # a byte now and then, for ever
ACCEPT_THEN_GARBAGE = Step(status=200, body=b"<html>not JSON</html>")
HANG = Step("hang", False)
DROP = Step("drop", False)
GARBAGE = answer(200, b"<html>not JSON</html>")
SERVER_ERROR = answer(500, b"Internal Server Error")
BAD_TOKEN = error(401, 10, WRONG_TOKEN)


def rate_limit(seconds: int) -> Step:
    return error(429, 429, "Rate limit exceeded", Retry_After=str(seconds))


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    messages: list[Any]  # of a batch


@dataclass
class PostmarkServer:
    """Use it as `with PostmarkServer(token="...") as server:`. Each POST takes the next step of `script`, each look-up
    the next of `lookup_script`; once they are used up, requests are met as usual."""

    token: str = "test-token"
    senders: tuple[str, ...] = ()  # confirmed From addresses; none: any
    streams: tuple[str, ...] = ("outbound", "broadcast")
    host: str = "127.0.0.1"
    port: int = 0
    inactive: set[str] = field(default_factory=set)  # recipients that bounced before
    spoilers: dict[str, Step] = field(default_factory=dict)  # recipients for whom a whole batch is answered so
    script: list[Step] = field(default_factory=list)
    lookup_script: list[Step] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)  # the messages, each with its MessageID
    calls: list[Call] = field(default_factory=list)
    noisy: bool = False

    def __enter__(self) -> PostmarkServer:
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer((self.host, self.port), type("Handler", (_Handler,), {"stand_in": self}))
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def subjects(self) -> list[str]:
        """The subjects of what was accepted, in order."""
        return [message["Subject"] for message in self.accepted]

    def posts(self) -> list[Call]:
        return [call for call in self.calls if call.method == "POST"]

    def lookups(self) -> list[Call]:
        return [call for call in self.calls if call.method == "GET"]

    def next_step(self, method: str) -> Step:
        script = self.script if method == "POST" else self.lookup_script
        with self.lock:
            return script.pop(0) if script else ACCEPT

    def batch(self, messages: list[Any]) -> list[dict[str, Any]]:
        """The answer to each message of a batch; the good ones are accepted."""
        return [self._one(message) for message in messages]

    def _one(self, message: Any) -> dict[str, Any]:
        refusal = self._refusal(message)
        if refusal:
            return {"ErrorCode": refusal[0], "Message": refusal[1]}
        message_id = str(uuid.uuid4())
        with self.lock:
            self.accepted.append({**message, "MessageID": message_id})
        if self.noisy:
            print(f"accepted {message_id} for {message['To']}: {message['Subject']}", message["TextBody"], sep="\n")
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {"ErrorCode": 0, "Message": "OK", "MessageID": message_id, "SubmittedAt": at, "To": message["To"]}

    def _refusal(self, message: Any) -> tuple[int, str] | None:
        sender, to, stream = (message.get(name) for name in ("From", "To", "MessageStream"))
        if not isinstance(sender, str) or not ADDRESS.fullmatch(sender):
            return 300, f"Invalid 'From' address: '{sender}'."
        if self.senders and sender not in self.senders:
            return 400, f"The 'From' address you supplied ({sender}) is not a Sender Signature on your account."
        if not isinstance(to, str) or not ADDRESS.fullmatch(to):
            return 300, f"Error parsing 'To': Illegal email address '{to}'."
        if to in self.inactive:
            return 406, INACTIVE.format(to)
        if not message.get("TextBody") and not message.get("HtmlBody"):
            return 300, "Provide either email TextBody or HtmlBody or both."
        if stream not in self.streams:
            return 1235, f"The Stream provided: '{stream}' does not exist on this server."
        return _metadata_refusal(message.get("Metadata", {}))

    def search(self, query: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """`GET /messages/outbound`: status and body."""
        fields = {name.removeprefix("metadata_"): value for name, value in query.items() if "metadata_" in name}
        if not query.get("count", "").isdigit() or not query.get("offset", "").isdigit() or len(fields) > 1:
            return 422, {"ErrorCode": 600, "Message": "'count' and 'offset' are required, one metadata field at most."}
        stream = query.get("messagestream", "outbound")
        found = [m for m in self.accepted if m["MessageStream"] == stream and fields.items() <= m["Metadata"].items()]
        found = [m for m in found if query.get("recipient", m["To"]) == m["To"]]
        start = int(query["offset"])
        shown = [_shown(message) for message in found[start : start + int(query["count"])]]
        return 200, {"TotalCount": len(found), "Messages": shown}


def _metadata_refusal(metadata: Any) -> tuple[int, str] | None:
    """https://postmarkapp.com/support/article/1125-custom-metadata-faq"""
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        return 403, "Invalid request field(s): $.Metadata"
    if any(len(key) > 20 or len(value) > 80 for key, value in metadata.items()):
        return 300, "Metadata keys have at most 20 characters, values at most 80."
    return None


def _shown(message: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: message[name] for name in ("MessageID", "MessageStream", "From", "Subject", "Metadata")}
    return same | {"To": [{"Email": message["To"], "Name": None}], "Recipients": [message["To"]], "Status": "Sent"}


class _Handler(BaseHTTPRequestHandler):
    stand_in: PostmarkServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            messages = json.loads(raw)
        except ValueError:
            messages = None
        listed = messages if isinstance(messages, list) else []
        self._note(listed)
        spoiling = [self.stand_in.spoilers.get(m.get("To", "")) for m in listed if isinstance(m, dict)]
        step = next(filter(None, spoiling), None) or self.stand_in.next_step("POST")
        status, body = self._batch(messages) if step.accepts else (200, None)
        self._meet(step, status, body)

    def do_GET(self) -> None:
        self._note([])
        step = self.stand_in.next_step("GET")
        if urlsplit(self.path).path == "/server":
            self._meet(step, *(self._wrong("/server") or (200, {"ID": 1, "Name": "Stand-in", "Color": "red"})))
            return
        wrong = self._wrong("/messages/outbound")
        self._meet(step, *(wrong or self.stand_in.search(self._query())))

    def _query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query))

    def _note(self, messages: list[Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, urlsplit(self.path).path, self._query(), headers, messages)
        self.stand_in.calls.append(call)
        if self.stand_in.noisy:
            print(f"{call.method} {self.path} ({len(messages)} messages)", flush=True)

    def _wrong(self, path: str) -> tuple[int, dict[str, Any]] | None:
        if self.headers.get("X-Postmark-Server-Token", "").lower() != self.stand_in.token.lower():
            return 401, {"ErrorCode": 10, "Message": WRONG_TOKEN}
        if urlsplit(self.path).path != path:
            return 404, {"ErrorCode": 404, "Message": "No such resource."}
        if self.headers.get("Accept") != "application/json":
            return 422, {"ErrorCode": 409, "Message": "Accept must be application/json."}
        return None

    def _batch(self, messages: Any) -> tuple[int, Any]:
        wrong = self._wrong("/email/batch")
        if wrong:
            return wrong
        if self.headers.get("Content-Type") != "application/json":
            return 422, {"ErrorCode": 409, "Message": "Content-Type must be application/json."}
        if messages is None:
            return 422, {"ErrorCode": 402, "Message": "Received invalid JSON input."}
        if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
            return 422, {"ErrorCode": 403, "Message": "Expected a list of messages."}
        if len(messages) > 500:
            return 422, {"ErrorCode": 410, "Message": "Batch: at most 500 messages."}
        return 200, self.stand_in.batch(messages)

    def _meet(self, step: Step, status: int, body: Any) -> None:
        if step.then == "hang":
            self.stand_in.stop.wait(60)
        if step.then in ("hang", "drop"):
            self.close_connection = True
            return
        content = json.dumps(body).encode() if step.status is None else step.body
        self.send_response(step.status or status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in step.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(content, step.then == "drip")

    def _write(self, content: bytes, dripping: bool) -> None:
        try:
            for byte in content if dripping else b"":
                self.wfile.write(bytes([byte]))
                if self.stand_in.stop.wait(0.1):
                    break
            self.wfile.write(b"" if dripping else content)
        except OSError:
            self.close_connection = True  # the client went away, which is its right

    def log_message(self, format: str, *args: Any) -> None:
        pass  # what matters is noted by `_note`


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Postmark's API.")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--token", default="test-token")
    parser.add_argument("--inactive", action="append", default=[], metavar="ADDRESS", help="refuse this recipient")
    options = parser.parse_args(None if arguments is None else list(arguments))
    given = {"token": options.token, "host": options.host, "port": options.port, "inactive": set(options.inactive)}
    with PostmarkServer(**given, noisy=True) as server:
        print(f"listening at {server.url}, token {options.token}; end with Ctrl-C", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("bye", flush=True)


if __name__ == "__main__":
    main()

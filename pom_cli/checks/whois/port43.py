"""One question over port 43 (RFC 3912): bounded in time and size, and loud where the answer is cut short."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from pom_cli.checks.whois.answer import Ending, RegistryAnswer
from pom_cli.checks.whois.reader import UNPUBLISHED, order_of, read_whois
from pom_cli.checks.whois.second_reader import second_opinion
from pom_cli.checks.whois.servers import IANA, known_server, query
from pom_cli.checks.whois.turns import turn
from pom_cli.checks.whois.web import is_private
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault, NoAnswer, fault_of
from pom_cli.net.net import connect

PORT = 43
SIZE = 256 * 1024  # bytes; a record has a few thousand
_REFERRAL = re.compile(r"^(?:whois|refer):[ \t]*([\w.-]+)", re.IGNORECASE | re.MULTILINE)

Server = tuple[str, int]


def ask_whois(domain: str, configured: Server | None, deadline: Deadline) -> RegistryAnswer:
    """What the registry's WHOIS server says of a domain in its ASCII form; a configured server may be a private one."""
    faults: list[Fault] = []
    for host, port in (configured,) if configured else _servers(domain, deadline, faults):
        try:
            text = decode(fetch(host, port, query(host, domain), deadline, trusted=bool(configured)))
        except NoAnswer as error:
            faults.append(error.fault)
            continue
        if not text.strip():
            return RegistryAnswer("whois", Ending.FAILED, "its answer is empty")
        return _opined(read_whois(text, domain), text, domain, deadline)
    if not faults:
        return RegistryAnswer("whois", Ending.FAILED, "the registry has no WHOIS server")
    return RegistryAnswer(
        "whois", Ending.FAILED, faults[0].reason, answered=any(fault.phase == "body" for fault in faults)
    )


def fetch(host: str, port: int, line: str, deadline: Deadline, trusted: bool = False) -> bytes:
    """The whole answer to one line. Raises NoAnswer, also where it ends early or is larger than SIZE."""
    link = connect(host, port, deadline)
    answer = bytearray()
    with closing(link.sock) as sock:
        if not trusted and is_private(link.address):
            raise NoAnswer(Fault("body", f"{host} leads to the private address {link.address}"))
        try:
            sock.settimeout(deadline.remaining())
            sock.sendall(line.encode("ascii") + b"\r\n")
            while piece := sock.recv(16 * 1024):
                answer += piece
                if len(answer) > SIZE:
                    raise NoAnswer(Fault("body", f"its answer is larger than {SIZE // 1024} KiB"))
                sock.settimeout(deadline.remaining())
        except OSError as error:
            fault = fault_of("body" if answer else "headers", error, deadline)
            more = f" in the middle of its answer ({len(answer)} bytes)" if answer else ""
            raise NoAnswer(replace(fault, reason=fault.reason + more)) from error
    return bytes(answer)


def decode(raw: bytes) -> str:
    """The text of an answer in any of the encodings that registries use; no byte is ever an error."""
    if b"\x1b$" in raw:
        return raw.decode("iso2022_jp", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _servers(domain: str, deadline: Deadline, faults: list[Fault]) -> Iterator[Server]:
    """The table's server, then, should that one be gone, the one that IANA names."""
    tld = domain.rpartition(".")[2]
    known = known_server(tld)
    if known:
        yield known, PORT
    try:
        with turn(f"whois {IANA}", 0.0, deadline):
            named = _REFERRAL.search(decode(fetch(IANA, PORT, tld, deadline)))
    except NoAnswer as error:
        told = f"{IANA}, which knows the registry's server: {error.fault.reason}"
        faults.append(replace(error.fault, reason=told))
        return
    if named and named[1].lower() != known:
        yield named[1].lower(), PORT


def _opined(answer: RegistryAnswer, text: str, domain: str, deadline: Deadline) -> RegistryAnswer:
    """The answer, with the date that a second reader knows of where ours found a record and no date in it."""
    if answer.ending is not Ending.NO_DATE or answer.reason != UNPUBLISHED:
        return answer
    date = second_opinion(text, domain, order_of(text, domain), deadline)
    if date is None or (answer.created and date < answer.created):
        return answer
    return replace(answer, ending=Ending.DATED, reason="", expires=date)

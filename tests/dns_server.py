"""DNS servers on loopback for tests: one port on several 127.0.0.x addresses, UDP and TCP, with faults on demand.

    with dns_server({"127.0.0.1": [zone("example.com", "www A 192.0.2.1")]}, resolvers=["127.0.0.1"]) as servers:
        servers.fault(SERVFAIL, name="www.example.com")
        ... servers.at("127.0.0.1") ... servers.heard

Each address answers from its own zones: with authority, or as a resolver that knows all of them and follows aliases.
The faults are in dns_faults.
"""

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone
from dns_faults import Fault, Message, Pieces, framed

_SERIAL = 2026112401
_CLASS = dns.rdataclass.IN


def zone(origin: str, records: str = "", serial: int = _SERIAL, ns: Mapping[str, str] | None = None) -> dns.zone.Zone:
    """A zone of these lines (names relative to its origin) with an SOA record, and NS and A records for its `ns`."""
    lines = [f"@ 300 SOA ns1 hostmaster {serial} 7200 3600 1209600 300"]
    lines += [f"@ 300 NS {name}\n{name} 300 A {address}" for name, address in (ns or {"ns1": "127.0.0.1"}).items()]
    lines += [line.strip() for line in records.splitlines() if line.strip()]
    return dns.zone.from_text("$TTL 300\n" + "\n".join(lines) + "\n", origin=origin + ".", relativize=False)


@dataclass(frozen=True)
class Heard:
    """One question that arrived."""

    address: str
    name: str
    type: str
    tcp: bool
    payload: int  # of EDNS; 0 without
    recursion: bool
    id: int


@dataclass
class Servers:
    """The running servers."""

    zones: Mapping[str, Sequence[dns.zone.Zone]]
    resolvers: Sequence[str]
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    faults: list[tuple[str | None, str | None, Fault]] = field(default_factory=list)

    def at(self, address: str) -> tuple[str, int]:
        return address, self.port

    def fault(self, fault: Fault, name: str | None = None, address: str | None = None) -> None:
        """From now on, for this name at this address (None: any); the newest that fits counts."""
        self.faults.insert(0, (name, address, fault))


def answer_to(query: Message, zones: Sequence[dns.zone.Zone], resolver: bool) -> Message:
    """The true answer, from these zones."""
    reply = dns.message.make_response(query, recursion_available=resolver)
    reply.flags |= 0 if resolver else dns.flags.AA
    name, kind = query.question[0].name, query.question[0].rdtype
    for _ in range(20):
        home = max((z for z in zones if name.is_subdomain(z.origin)), key=lambda z: len(z.origin), default=None)
        if home is None:
            return _outside(reply, resolver)
        node = home.get_node(name) or _wildcard(home, name)
        found = node and (node.get_rdataset(_CLASS, kind) or node.get_rdataset(_CLASS, dns.rdatatype.CNAME))
        if not found:
            soa = home.find_rrset(home.origin, dns.rdatatype.SOA)
            reply.authority = [soa]
            below = any(other.is_subdomain(name) for other in home.nodes)
            reply.set_rcode(dns.rcode.NOERROR if node or below else dns.rcode.NXDOMAIN)
            return reply
        reply.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
        if found.rdtype == kind:
            return reply
        name = found[0].target
    return reply


def _outside(reply: Message, resolver: bool) -> Message:
    if resolver:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif not reply.answer:
        reply.set_rcode(dns.rcode.REFUSED)
        reply.flags &= ~dns.flags.AA
    return reply


def _wildcard(home: dns.zone.Zone, name: dns.name.Name) -> dns.node.Node | None:
    """The `*` below the closest name that exists (RFC 4592 section 3.3.1)."""
    while name != home.origin:
        name = name.parent()
        if any(other.is_subdomain(name) for other in home.nodes):
            break
    return home.get_node(dns.name.from_text("*", name))


@contextlib.contextmanager
def dns_server(
    zones: Mapping[str, Sequence[dns.zone.Zone]], resolvers: Sequence[str] = (), tcp: bool = True
) -> Iterator[Servers]:
    """The servers, one for each address of `zones`; those in `resolvers` answer as resolvers do."""
    servers = Servers(zones, resolvers)
    with contextlib.ExitStack() as closing:
        servers.port, sockets = _listening(list(zones), tcp)
        for sock in sockets:
            closing.callback(sock.close)
        wake_here, wake_there = socket.socketpair()
        closing.enter_context(wake_here)
        closing.enter_context(wake_there)
        thread = threading.Thread(target=_serve, args=(servers, sockets, wake_there), daemon=True)
        thread.start()
        try:
            yield servers
        finally:
            wake_here.send(b"x")
            thread.join(10)


def closed_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _listening(addresses: Sequence[str], tcp: bool) -> tuple[int, list[socket.socket]]:
    for _ in range(50):
        sockets: list[socket.socket] = []
        port = 0
        try:
            for address, kind in itertools.product(addresses, (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
                if kind == socket.SOCK_STREAM and not tcp:
                    continue
                sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
                sockets.append(sock)
                sock.setblocking(False)
                sock.bind((address, port))
                port = sock.getsockname()[1]
                if kind == socket.SOCK_STREAM:
                    sock.listen(64)
        except OSError:
            for sock in sockets:
                sock.close()
        else:
            return port, sockets
    raise RuntimeError("no port is free on all of the addresses")


@dataclass
class _Talk:
    """A TCP conversation, or a UDP socket."""

    sock: socket.socket
    address: str
    got: bytearray = field(default_factory=bytearray)


def _serve(servers: Servers, sockets: Sequence[socket.socket], stop: socket.socket) -> None:
    later: list[tuple[float, int, Callable[[], object]]] = []
    numbers = itertools.count()

    def schedule(pieces: Pieces, send: Callable[[bytes], object]) -> None:
        for delay, data in pieces:
            heapq.heappush(later, (time.monotonic() + delay, next(numbers), lambda data=data: send(data)))

    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as closing:
        selector.register(stop, selectors.EVENT_READ, None)
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ, _Talk(sock, sock.getsockname()[0]))
        while True:
            wait = max(0.0, later[0][0] - time.monotonic()) if later else None
            for key, _ in selector.select(wait):
                if key.data is None:
                    return
                _read(servers, key.data, selector, closing, schedule)
            while later and later[0][0] <= time.monotonic():
                heapq.heappop(later)[2]()


def _read(servers: Servers, talk: _Talk, selector: selectors.BaseSelector, closing: contextlib.ExitStack, schedule):
    sock = talk.sock
    if sock.type == socket.SOCK_DGRAM:
        wire, client = sock.recvfrom(65535)
        schedule(_pieces(servers, talk.address, wire, False), lambda data: sock.sendto(data, client))
    elif sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        made, _ = sock.accept()
        closing.callback(made.close)
        selector.register(made, selectors.EVENT_READ, _Talk(made, talk.address))
    else:
        _read_stream(servers, talk, selector, schedule)


def _read_stream(servers: Servers, talk: _Talk, selector: selectors.BaseSelector, schedule) -> None:
    def send(data: bytes) -> None:
        with contextlib.suppress(OSError):  # the client may be gone
            if data:
                talk.sock.sendall(data)
            else:
                talk.sock.shutdown(socket.SHUT_RDWR)

    try:
        piece = talk.sock.recv(65535)
    except OSError:
        piece = b""
    talk.got += piece
    if not piece:
        selector.unregister(talk.sock)
        talk.sock.close()
    elif len(talk.got) >= 2 + int.from_bytes(talk.got[:2], "big") > 2:
        schedule(_pieces(servers, talk.address, bytes(talk.got[2:]), True), send)
        talk.got.clear()


def _pieces(servers: Servers, address: str, wire: bytes, tcp: bool) -> Pieces:
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return []
    name = query.question[0].name.to_text(omit_final_dot=True)
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    payload = int(query.payload) if query.edns >= 0 else 0
    recursion = bool(query.flags & dns.flags.RD)
    servers.heard.append(Heard(address, name, kind, tcp, payload, recursion, query.id))
    answer = answer_to(query, servers.zones[address], address in servers.resolvers)
    for whose, where, fault in servers.faults:
        if whose in (None, name) and where in (None, address):
            return fault(query, answer, tcp)
    if tcp:
        return [(0, framed(answer, tcp))]
    return [(0, answer.to_wire(max_size=max(512, payload), prefer_truncation=True))]

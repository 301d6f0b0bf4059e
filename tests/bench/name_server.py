"""A name server that says 192.0.2.1 to every A question, at once. It prints its port."""

import socket

FLAGS = b"\x85\x80"  # an answer, authoritative, recursion available
TAIL = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    print(sock.getsockname()[1], flush=True)
    while True:
        question, client = sock.recvfrom(4096)
        end = question.index(b"\0", 12) + 5  # the name, its type and its class
        counts = b"\x00\x01\x00\x01\x00\x00\x00\x00"
        sock.sendto(question[:2] + FLAGS + counts + question[12:end] + TAIL, client)

"""One look at the network: names, sockets, TLS and HTTP, each within one deadline, many at once."""

"""What a registry says of one domain: RDAP, WHOIS over port 43, and the readers that make one Answer of either."""

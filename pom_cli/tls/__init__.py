"""What the tls kind sees in a handshake and in the certificates that are shown, and how it is judged."""

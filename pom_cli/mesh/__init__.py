"""The peers: asking them, what their beats make of them, and what they see of our targets."""

"""From findings to words and into the outbox: states, decisions, what holds them back, delivery."""

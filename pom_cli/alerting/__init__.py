"""From findings to notices in the outbox: states, decisions, what delays them, delivery."""

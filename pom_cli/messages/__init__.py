"""The words that operators get: messages, and the runbook's steps filled in."""

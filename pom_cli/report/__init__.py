"""Stored rows as people and programs see them."""

"""The Fetch standard's rules, and what a browser would send by them."""

"""`pom serve`: the overview as JSON over HTTP. Everything is pure but reader.py, listen.py and what stands on waitress.

A request goes server → channel → application → (access, routes, queries) → cache, or reader → content → answers.
"""

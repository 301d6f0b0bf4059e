"""`pom serve`: the overview as JSON over HTTP. Everything is pure but reader.py, listen.py, server.py and service.py.

A request goes waitress → application → (access, routes, queries) → cache, or reader → content → answers.
"""

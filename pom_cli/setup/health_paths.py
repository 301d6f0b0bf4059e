"""Which path of a site tells its health, and what it says when all is well. Pure."""

from collections.abc import Sequence
from typing import Any

from pom_cli.net.exchange import Answer, header
from pom_cli.outside import Unreadable, from_json

CANDIDATES = ("/api/health", "/health", "/healthz", "/api/healthz", "/status", "/up", "/ping")
_STATUS_FIELDS = ("status", "state", "health")
_WELL = ("ok", "operational", "healthy", "up", "pass")
_TRUE_FIELDS = ("ok", "healthy")
_PAGE = 2048  # bytes: what is longer and no JSON is a page for people, about health perhaps


def chosen(answers: Sequence[tuple[str, Answer]], decoy: Answer | None) -> str:
    """The path that tells the site's health best, "" for none. `decoy` is the answer to a path that cannot exist.

    Without it nothing can be told: a site may answer the same to everything.
    """
    if decoy is None:
        return ""
    usable = [(_rank(answer), number, path) for number, (path, answer) in enumerate(answers) if _own(answer, decoy)]
    rank, _, path = min(usable, default=(9, 0, ""))
    return path if rank < 9 else ""


def _own(answer: Answer, decoy: Answer) -> bool:
    """Is this a good answer, and one that this path alone gives?"""
    if not _good(answer):
        return False
    return not _good(decoy) or (answer.body != decoy.body and _type(answer) != _type(decoy))


def _good(answer: Answer) -> bool:
    return 200 <= answer.status < 300 and answer.complete


def _type(answer: Answer) -> str:
    return (header(answer.headers, "content-type") or "").partition(";")[0].strip().lower()


def _rank(answer: Answer) -> int:
    if well_said(answer.body):
        return 0
    if _json(answer.body):
        return 1
    return 2 if len(answer.body) <= _PAGE else 9


def well_said(body: bytes) -> dict[str, Any]:
    """The field at the top of a JSON body that says plainly that all is well, with its value; {} for none."""
    found = _json(body)
    for name in _STATUS_FIELDS:
        value = found.get(name)
        if isinstance(value, str) and value.lower() in _WELL:
            return {name: value}
    return next(({name: True} for name in _TRUE_FIELDS if found.get(name) is True), {})


def _json(body: bytes) -> dict[str, Any]:
    """The JSON object that the body is; {} for anything else."""
    try:
        found = from_json(body)
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}

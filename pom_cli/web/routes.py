"""The paths of the API: the only list of them. Which one is asked for, with what. Pure."""

from functools import lru_cache

from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.web import answers, content
from pom_cli.web.answers import Answer
from pom_cli.web.content import Route, Scene
from pom_cli.web.queries import Query, Refused, parse, split

METHODS = ("GET", "HEAD")


@dataclass(frozen=True)
class Asked:
    """A route with the target that its path names ("" for none), and the query."""

    route: Route
    target: str
    query: Query


def _openapi(scene: Scene) -> Answer:
    from pom_cli.web import openapi

    return answers.fixed(openapi.document(ROUTES))


HEALTH = Route("/api/health", content.health, "Is this monitor itself well.", public=True)
# For people, and no part of the API: it is there where the config switches it on.
PAGE = Route("/", content.page, "The public status page.", public=True)
FEED = Route("/feed.xml", content.feed, "Its incidents and announcements as an Atom feed.", public=True)
BADGE = Route("/badge/{target}.svg", content.badge, "A target's status as a picture.", public=True)
ROUTES = (
    HEALTH,
    Route("/api/status", content.status, "The whole picture."),
    Route("/api/status/{target}", content.target, "One target."),
    Route("/api/history/{target}", content.history, "Results, newest first.", ("kind", "since", "limit")),
    Route("/api/incidents", content.incidents, "What broke, newest first.", ("since", "limit")),
    Route("/api/trends/{target}", content.trends, "Uptime and latency by the hour, oldest first.", ("since",)),
    Route("/api/peer", content.peer, "What other instances ask this one."),
    Route("/api/mesh", content.mesh, "This instance and its peers."),
    Route("/metrics", content.metrics, "Metrics for Prometheus: OpenMetrics where Accept asks for it."),
    Route("/api/openapi.json", _openapi, "This API, described."),
)
_EXACT = {tuple(route.path[1:].split("/")): route for route in ROUTES if "{" not in route.path}
_OF_A_TARGET = {tuple(route.path[1:].split("/")[:-1]): route for route in ROUTES if "{" in route.path}


@lru_cache(256)  # the same few URIs are asked for again and again, and none of them is long
def find(uri: str, page: bool = False) -> tuple[Route, str, str] | Refused:
    """The route of this URI, the target in its path, and its query; or why nothing matches. `page`: it is on."""
    try:
        segments, query = split(uri)
    except Refused as refused:
        return refused
    if page and (found := _of_page(segments)):
        return found[0], found[1], query
    if segments in _EXACT:
        return _EXACT[segments], "", query
    if segments[:-1] in _OF_A_TARGET:
        return _OF_A_TARGET[segments[:-1]], segments[-1], query
    return Refused(404, "there is nothing here", public=segments == ("",))


def _of_page(segments: tuple[str, ...]) -> tuple[Route, str] | None:
    """The route of the public page that these segments name, with its target."""
    if segments == ("",):
        return PAGE, ""
    if segments == ("feed.xml",):
        return FEED, ""
    if len(segments) == 2 and segments[0] == "badge" and segments[1].endswith(".svg"):
        return BADGE, segments[1].removesuffix(".svg")
    return None


def asked(found: tuple[Route, str, str], config: Config) -> Asked:
    """What is asked for, once it is known that the client may ask. Raises Refused."""
    route, target, query = found
    if "{" in route.path and target not in config.targets:
        if route.public:  # whose names are nobody else's
            raise Refused(404, "there is nothing here")
        from pom_cli.toml.table import nearest, shown

        raise Refused(404, f"{shown(target)} is not a target{nearest(target, config.targets)}")
    return Asked(route, target, parse(query, route.parameters))

"""What a WHOIS answer without a record means: no such domain, asked too often, not allowed to ask, out of order."""

import re
from collections.abc import Iterator

from pom_cli.checks.whois.answer import Ending
from pom_cli.checks.whois.fields import Line

_SPAN = re.compile(r"\b(\d{1,5}) ?(seconds?|secs?|s|minutes?|mins?|hours?)\b", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_WIDTH = 160  # characters: a verdict is one short line; legal terms, which mention limits and blocking too, are long
_TERMS = re.compile(
    r"\b(?:you agree|terms of|purposes?|lawful|unsolicited|reserves? the right|rights|guarantee|copyright)\b", re.I
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_OPENING = (  # what may stand before the verdict
    r"(?:sorry,? |but |the |this |your |requested |queried |"
    r"(?:error|status|info|result|warning)\b[\s:-]*|\d{3}\b[\s:-]*)*"
)
_GONE = (
    r"(?:does ?n[o']t exist|(?:is |was |were |are )?not found|(?:is )?not registered|(?:has )?not been registered"
    r"|is (?:currently )?(?:free|available|unregistered)\W*$|available for (?:registration|purchase)|no match"
    r"|no entries found|(?:is )?not known|(?:is )?unknown)(?!\w).*"
)
_FREE = re.compile(
    _OPENING
    + "(?:"
    + "|".join(
        (
            r"no (?:match|matching|data|entries|entry|objects?|found|such|records?|results?|domains?|information)\b.*",
            rf"(?:domain name|domain|object|name|record|entry|data)\b.{{0,90}}?\b{_GONE}",
            rf"[\"']?[^\s\"']+\.[\w-]+[\"']?[\s:-]+{_GONE}",
            r".{0,40} / no match.*|not[ _-]?(?:found|registered)\b.*|nothing found.*|nomatch\b.*|object_not_found.*",
            r"out of registry.*|free\W*|available\W*|available for registration.*|we do not have an entry.*"
            r"|.{0,60}\breturned 0 objects.*",
            r"invalid query or domain name not known.*|.{0,90}\bdoes not have\W*|any data for .*",
            r"(?:el |o |le |la |il |das |die )*(?:dom[ií]nio|domaine|domain|domena|домен)\b.{0,60}?"
            r"(?:no existe|no se encuentra|não existe|inexistente|n'existe pas|non trouvé"
            r"|nicht (?:gefunden|registriert)|non (?:esiste|trovato)|не найден|не зарегистрирован).*",
            r".{0,40}(?:該当するデータがありません|未找到|找不到|没有找到|未注册|未被注册|등록되어\s?있지\s?않).*",
        )
    )
    + ")",
    re.IGNORECASE,
)
_FREE_STATUS = re.compile(
    r"(?:\d{3} )?(?:free|available|not registered|not found|unregistered|unassigned|no object found"
    r"|available for registration)",
    re.IGNORECASE,
)
_REJECTED = re.compile(
    r"[45]\d\d\b|(?:invalid|malformed|illegal|error|failed|rejected)\b|bad (?:query|request|domain|name)\b",
    re.IGNORECASE,
)
_LIMITED = _any(
    r"\b(?:limits?|quota|rates?|allowance|threshold|limitation|credits?)\b.{0,40}?"
    r"\b(?:exceeded|exceeds|reached|is \d+|used up|exhausted)\b",
    r"\b(?:queries|requests|lookups|connections)(?: have been| were)? exceeded\b",
    r"\b(?:exceeded|surpassed)\b.{0,60}\b(?:limits?|quota|rate|number|maximum|allow\w+|requests|queries|connections?)\b",
    r"\btoo many (?:\w+ )?(?:requests|queries|connections?|lookups|attempts)\b|\btoo (?:fast|often|quickly)\b",
    r"\bexcessive (?:querying|queries|requests)\b|\bgrace period,? (?:of|wait)\b|\bwill be replenished\b",
    r"\bquery rate of \d|\bthrottled\b|\brate[- ]limited\W*$|\bslow down\b|\b440 request denied\b",
    r"\b(?:please|must) (?:wait|try again|retry)\b.{0,40}\b(?:later|seconds?|minutes?|hours?|after)\b",
    r"\btry again (?:later|in|after)\b",
)
_BARRED = r"(?:black-? ?listed|blocked|banned)"
_REFUSED = _any(
    r"\b(?:access|connection|request|query|service)\b.{0,40}"
    r"\b(?:denied|refused|rejected|forbidden|not (?:allowed|permitted|authori[sz]ed))\b",
    rf"\b(?:has|have|is|are|was|were) (?:been )?(?:temporarily |permanently |currently )?{_BARRED}\b",
    rf"\b(?:ip|address|host|client|you)\b.{{0,40}}\b(?:{_BARRED}|not authori[sz]ed|denied)\b",
    r"\bnot authori[sz]ed to\b|\bpermission denied\b|\bunauthori[sz]ed\b|\bcontained within a list of ip addresses\b",
    r"\bno longer (?:available|offered|supported|provided)\b|\bno whois server\b",
)
_BROKEN = _any(
    r"\b(?:internal|server|database|system|unexpected) (?:server )?(?:error|failure)\b|\btimed? ?out\b",
    r"\b(?:under|for|scheduled|system) maintenance\b|\bcould not (?:connect|process|be processed)\b",
    r"\btemporar(?:y|ily) (?:unavailable|failure|error|out|not)\b",
    r"\b(?:service|server|database|whois)\b.{0,20}\b(?:unavailable|too busy|overloaded|down for|not available)\b",
)
_RESERVED = _any(
    r"^reserved\b|^prohibited string\b|^not available for registration\b",
    r"\b(?:is|has been|are) (?:reserved|blocked|restricted|prohibited|not available for)\b",
    r"\breserved (?:by|for|domain|name)\b|\bcan ?not be registered\b",
)


def free_status(value: str) -> bool:
    """Does this status say that nobody has the domain?"""
    return bool(_FREE_STATUS.fullmatch(value.strip(" .\"'")))


def wait(lines: list[Line]) -> int | None:
    """The seconds that a rate limit asks to wait, if its first lines contain them."""
    found = _SPAN.search(" ".join(line.text[:_WIDTH] for line in lines[:6]))
    return int(found[1]) * _SECONDS[found[2][0].lower()] if found else None


def rejected(status: str) -> bool:
    """Does this status say that the question could not be answered, rather than how the domain is?"""
    return bool(_REJECTED.match(status))


def meaning(lines: list[Line]) -> tuple[Ending, str] | None:
    """What the first line that says anything says, and that line; None for an answer that says nothing of the kind.

    A refusal that elsewhere speaks of a limit is a limit: it ends by itself. A long paragraph beside other lines is
    legal text, however short its lines: only "no such domain", which is a whole line, is looked for in it.
    """
    found: tuple[Ending, str] | None = None
    for line, prose in _with_prose(lines):
        text = " ".join(line.text.strip(" *-=!").split())
        ending = _of(text) if text and len(text) <= _WIDTH and not _TERMS.search(text) else None
        if prose and ending is not Ending.FREE:
            continue
        if ending and (found is None or ending is Ending.LIMITED):
            found = ending, text
        if found and found[0] is not Ending.REFUSED:
            break
    return found


def _with_prose(lines: list[Line]) -> Iterator[tuple[Line, bool]]:
    """Every line, and whether it is in a long paragraph that is not all there is."""
    parts: dict[tuple[int, int], list[Line]] = {}
    breaks = 0  # empty comments part paragraphs, as empty lines do
    for line in lines:
        breaks += line.comment and not line.text
        parts.setdefault((line.block, breaks), []).append(line)
    for part in parts.values():
        long = len(parts) > 1 and sum(len(line.text) for line in part) > _WIDTH
        yield from ((line, long) for line in part)


def _of(text: str) -> Ending | None:
    if _LIMITED.search(text):
        return Ending.LIMITED
    if _RESERVED.search(text):
        return Ending.NO_DATE
    if _REFUSED.search(text):
        return Ending.REFUSED
    if _FREE.fullmatch(text):
        return Ending.FREE
    return Ending.FAILED if _BROKEN.search(text) else None

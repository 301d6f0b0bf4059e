"""A WHOIS answer as labelled lines, in each way that registries have of writing them, and what a label is about.

General words first: a registry that nobody has seen reads like the others.
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from functools import cache

from pom_cli.frozen import dataclass

_LINES, _WIDTH = 4000, 500  # what an honest answer stays far below, its legal text aside
_COMMENT = re.compile(r"[%#;>]")
_BRACKETED = re.compile(r"(?:[a-z]\.?\s+)?\[([^\]]{1,60})\]\s*(.*)")
_COLON = re.compile(r"([^:：]{1,60}?)[\s.…·]{0,80}[:：]+(?!//)\s*(.*)")
_DOTTED = re.compile(r"(\S[^:]{0,58}?)\s?\.{3,}\s*(\S.*)")
_SPACED = re.compile(r"(\S.{0,58}?)(?<![.,;])(?:\t+|\s{2,})(\S.*)")
_EQUALS = re.compile(r"([\w. -]{2,60}?)\s*=\s*(\S.*)")
_DECORATION = re.compile(r"^[*\-|•]+\s+|\s*<br\s*/?>$", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """One line. `label` is in plain words ("" where it has none), `hint` what stood in parentheses in the label."""

    text: str
    label: str = ""
    value: str = ""
    hint: str = ""
    comment: bool = False
    block: int = 0  # grows with every empty line

    @property
    def heading(self) -> bool:
        """A label that waits for its value on the lines below."""
        return bool(self.label) and not self.value


def split(text: str) -> list[Line]:
    """The lines of an answer, empty ones left out."""
    found, block = [], 0
    for raw in text.splitlines()[:_LINES]:
        stripped = _DECORATION.sub("", raw[:_WIDTH].strip()).strip()
        if not stripped:
            block += 1
        elif _COMMENT.match(stripped):
            found.append(Line(stripped.lstrip("%#;> \t"), comment=True, block=block))
        else:
            found.append(_labelled(stripped, block))
    return found


def plain(label: str) -> str:
    """A label in lower-case words: `Registry_Expiry-Date` and `registry expiry date` are one.

    What is said twice in one label, in two languages, stays apart: `data de expiração / expiration date`.
    """
    folded = re.sub(r"\([^)]*\)", " ", unicodedata.normalize("NFKC", label).casefold())
    parts = (" ".join(re.sub(r"[\W_]", " ", part).split()) for part in folded.split(" / "))
    return " / ".join(part for part in parts if part)


def below(lines: list[Line], at: int) -> Iterator[Line]:
    """The unlabelled lines that follow a heading at once."""
    for line in lines[at + 1 : at + 6]:
        if line.label or line.comment:
            return
        yield line


def _labelled(text: str, block: int) -> Line:
    for form in (_BRACKETED, _COLON, _DOTTED, _SPACED, _EQUALS):
        match = form.fullmatch(text)
        if match and re.search(r"[^\W\d_]{2}", match[1]) and not _splits_a_time(match):
            hint = " ".join(re.findall(r"\(([^)]*)\)", match[1]))
            return Line(text, plain(match[1]), match[2].strip(), hint, block=block)
    return Line(text, block=block)


def _splits_a_time(match: re.Match[str]) -> bool:
    """`Expires Mon Mar 1 12:00:00 2027`: that colon is part of the time."""
    return match[1][-1].isdigit() and match[2][:2].isdigit()


class Topic(StrEnum):
    """What a labelled value says about the domain."""

    REGISTRY_EXPIRY = "registry's expiry date"
    EXPIRY = "expiry date"
    REGISTRAR_EXPIRY = "registrar's expiry date"
    CREATED = "registration date"
    NAME = "domain name"
    STATUS = "status"
    REGISTRAR = "registrar"
    DNSSEC = "dnssec"
    RECORD = "a part of a registration"
    REMARK = "remark"
    OTHER = "something else"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EXPIRY = _words("expire expires expired expiry expiration expiring exp expdate expirydate expirationdate")
_CREATED = _words("created creation create activated activation commencement assigned connected delegated")
_SMALL = _words(
    "registry registrar registration registered domain domains name record date datetime time timestamp day on at of"
    " the will is in it this current first utc gmt local service"
)
# What else a sentence such as "renewed until 2027-03-01" may begin with.
_JOINTS = _words("paid valid good active billed renewed renewal renews renew until till to thru through")
_BEGINNINGS = frozenset({"registered", "registration", "registration date", "registration time", "registered on"})
_UNTIL = re.compile(
    r"(?:(?:the|this|domain|domains|name|record|registration|service|is|date|current) )*"
    r"(?:paid (?:till|until|up to|through)"
    r"|(?:valid|good|active|registered|registration|billed|delegated|renewed) (?:until|till|to|thru|through|up to)"
    r"|validity(?: date)?|datebilleduntil|(?:next )?(?:renewal|renew)(?: date| due)*(?: on)?|renews(?: on)?|until)"
)
_ELSEWHERE = (
    "fecha de vencimiento|fecha de expiracion|fecha de expiración|fecha expiracion|fecha de caducidad|fecha de corte"
    "|vencimiento|vence|expira|caducidad|data de expiração|data de expiracao|expiração|expira em|validade"
    "|data de vencimento|date d'expiration|date expiration|expire le|expiration le|date d'échéance|échéance"
    "|valide jusqu'au|ablaufdatum|ablauf|läuft ab am|gültig bis|vervaldatum|verloopt op|verloopdatum"
    "|data di scadenza|data scadenza|scadenza|utgår|giltig till|utløper|udløber|udløbsdato|päättyy|vanhenee"
    "|data wygaśnięcia|ważna do|opłacona do|datum expirace|expirace|platnost do|platí do|datum isteka|važi do"
    "|vrijedi do|datum poteka|lejárat|lejárat dátuma|expira la|data expirarii|data expirării|bitiş tarihi"
    "|son kullanma tarihi|geçerlilik tarihi|оплачен до|дата окончания|дата окончания регистрации|истекает"
    "|действителен до|срок действия|дійсний до|діє до|закінчується|дата на изтичане|валиден до|ημερομηνία λήξης|λήξη"
    "|有効期限|到期日期|到期时间|到期時間|到期日|过期时间|过期日期|過期時間|有效期至|有效期限|截止日期|域名到期时间|域名到期日期"
    "|사용 종료일|사용종료일|만료일|유효기간|วันหมดอายุ|ngày hết hạn|tanggal kadaluarsa|tanggal kedaluwarsa"
    "|berlaku sampai|tanggal berakhir|تاريخ الانتهاء|تاريخ انتهاء|تاریخ انقضا|תוקף|תאריך תפוגה"
)
_CREATED_ELSEWHERE = (
    "登録年月日|接続年月日|등록일|注册时间|注册日期|註冊日期|fecha de registro|fecha de creacion|fecha de creación"
    "|fecha de activación|data de criação|data de registo|data de registro|date de création"
    "|date d'enregistrement|registriert am|data creazione|data rejestracji|дата регистрации"
    "|ngày đăng ký"
)
_TOPICS = {
    Topic.EXPIRY: _ELSEWHERE,
    Topic.CREATED: _CREATED_ELSEWHERE,
    Topic.NAME: "domain|domain name|domainname|complete domain name|domain name ascii|domain name punycode|ascii|ace"
    "|nom de domaine|nombre de dominio|dominio|domínio|domena|ドメイン名|도메인이름|域名|query",
    Topic.STATUS: "status|state|domain status|domain state|registration status|query status|ren status|epp status"
    "|domain eppstatus|registry status|状態|estado|statut|estatus|stato|статус",
    Topic.REGISTRAR: "registrar|registrar name|sponsoring registrar|current registrar|current registar"
    "|registrar organization|registration service provider|registrador|registrar company|authorized agency|등록대행자"
    "|регистратор",
    Topic.DNSSEC: "dnssec|dnssec status|signed|signing key|dnssec signed|domain signed|secure dns|delegation signed",
    Topic.RECORD: "name server|name servers|nameserver|nameservers|nserver|ns|domain servers|domain nameservers"
    "|dns servers|dns|host name|hostname|domain servers in listed order|domain name servers|primary server"
    "|ネームサーバ|호스트이름"
    "|holder|holder c|registrant|registrant name|registrant organization|registrant contact|owner|owner c|org|tech c"
    "|admin c|registrar iana id|registry domain id|roid|registrant id|descr|person|titular|등록인|登録者名",
    Topic.REMARK: "remarks|remark|notice|info",
}


def topic(label: str) -> Topic:
    """What this plain label is about; of one in two languages, what the first known one is about."""
    if " / " in label:
        abouts = [topic(part) for part in label.split(" / ")]
        return next((about for about in abouts if about is not Topic.OTHER), Topic.OTHER)
    words = label.split()
    if not words or len(words) > 8:
        return Topic.OTHER
    known = _dictionary().get(label)
    if known:
        return known
    if _UNTIL.fullmatch(label) and label != "until":
        return Topic.EXPIRY
    if _speaks_of(words, _EXPIRY):
        return _whose(words)
    if label in _BEGINNINGS or _speaks_of(words, _CREATED) or _registered(words):
        return Topic.CREATED
    return Topic.OTHER


def sentence(text: str) -> tuple[str, str]:
    """`Record expires on 2027-03-01` as its label and the rest; ("", text) where it does not begin so."""
    rest, words = text, list[str]()
    while match := re.match(r"([^\W\d_]+)[\s.:_-]*", rest):
        word = match[1].casefold()
        if word not in _SMALL and word not in _EXPIRY and word not in _CREATED and word not in _JOINTS:
            break
        words.append(word)
        rest = rest[match.end() :]
    return (" ".join(words), rest) if words and rest else ("", text)


def _speaks_of(words: list[str], these: frozenset[str]) -> bool:
    return any(word in these for word in words) and all(word in these or word in _SMALL for word in words)


def _registered(words: list[str]) -> bool:
    """`domain registered on`, `domain registration date`, `first registration date`; not `registration status`."""
    return words[-1] in ("registered", "on", "date", "time") and _speaks_of(
        words, frozenset({"registered", "registration"})
    )


def _whose(words: list[str]) -> Topic:
    if "registrar" in words:
        return Topic.REGISTRAR_EXPIRY
    return Topic.REGISTRY_EXPIRY if "registry" in words else Topic.EXPIRY


@cache
def _dictionary() -> dict[str, Topic]:
    return {plain(label): about for about, labels in _TOPICS.items() for label in labels.split("|")}

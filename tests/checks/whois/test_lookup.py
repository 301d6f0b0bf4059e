import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from registry_server import WhoisServer, domain_object, not_found, rdap
from web_server import HANG, WebServer, answer

from pom_cli.checks.whois import turns
from pom_cli.checks.whois.answer import Ending, Observation, RegistryAnswer, agree, decisive
from pom_cli.checks.whois.lookup import Question, look_up
from pom_cli.net.deadline import Deadline

PATH = "/domain/shop.com"
DATED = "Domain Name: shop.com\nRegistry Expiry Date: {}T10:00:00Z\n"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def whois() -> Iterator[WhoisServer]:
    with WhoisServer() as server:
        yield server


def ask(web: WebServer, whois: WhoisServer, data_dir: Path | str = "", seconds: float = 10) -> Observation:
    return look_up(Question("shop.com", web.url("/"), whois.place, str(data_dir)), seconds)


def days(answers: tuple[RegistryAnswer, ...]) -> list[str]:
    return [f"{one.source} {one.expires:%Y-%m-%d}" if one.expires else f"{one.source} {one.ending}" for one in answers]


def kept(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "registry.json").read_text())
    return loaded


def a_day_later(folder: Path) -> None:
    """What was asked is a day old, and so may be asked again."""
    known = kept(folder)
    known["asked"] = dict.fromkeys(known["asked"], "2026-01-01T00:00:00Z")
    (folder / "registry.json").write_text(json.dumps(known))


def expiry(folder: Path) -> str:
    return str(kept(folder)["dates"]["shop.com"]["expires_at"])


def test_rdap_is_asked_first_and_port_43_is_left_in_peace(web: WebServer, whois: WhoisServer) -> None:
    web.on(PATH, rdap(domain_object("shop.com")))
    assert days(ask(web, whois).first) == ["rdap 2027-03-01"]
    assert whois.questions == []


@pytest.mark.parametrize(
    "script",
    [answer(500), rdap("no json"), rdap(domain_object("shop.com", None)), answer(404), rdap({}, 429)],
)
def test_where_rdap_gives_no_date_port_43_does(web: WebServer, whois: WhoisServer, script: list[Any]) -> None:
    web.on(PATH, script)
    whois.on("shop.com", DATED.format("2027-03-01"))
    seen = ask(web, whois)
    assert days(seen.first)[-1] == "whois 2027-03-01" and len(seen.first) == 2


def test_an_rdap_server_that_hangs_leaves_time_for_port_43(web: WebServer, whois: WhoisServer) -> None:
    web.on(PATH, [HANG])
    whois.on("shop.com", DATED.format("2027-03-01"))
    assert days(ask(web, whois, seconds=1.0).first) == ["rdap failed", "whois 2027-03-01"]


def test_two_servers_that_hang_end_at_the_deadline(web: WebServer, whois: WhoisServer) -> None:
    web.on(PATH, [HANG])
    whois.on("shop.com", [HANG])
    seen = ask(web, whois, seconds=0.6)
    assert days(seen.first) == ["rdap failed", "whois failed"]
    assert [one.answered for one in seen.first] == [False, False]


def test_who_names_a_whois_server_alone_is_answered_by_it(whois: WhoisServer) -> None:
    whois.on("shop.com", DATED.format("2027-03-01"))
    seen = look_up(Question("shop.com", server=whois.place), 10)
    assert days(seen.first) == ["whois 2027-03-01"]


def test_the_registry_s_word_that_there_is_no_such_domain_settles_it(web: WebServer, whois: WhoisServer) -> None:
    web.on(PATH, not_found())
    seen = ask(web, whois)
    assert days(seen.first) == ["rdap not registered"] and decisive(seen.first) is seen.first[0]


def test_a_contradiction_settles_nothing() -> None:
    known = RegistryAnswer("rdap", Ending.NO_DATE, "it publishes no date")
    free, doubtful = RegistryAnswer("whois", Ending.FREE), RegistryAnswer("rdap", Ending.FREE, confirmed=False)
    assert decisive((known, free)) is None
    assert decisive((doubtful,)) is None and decisive((doubtful, free)) is doubtful
    assert decisive((doubtful, RegistryAnswer("whois", Ending.FAILED))) is None
    assert agree(free, doubtful) and not agree(free, known) and not agree(None, None)


def test_a_rate_limit_is_respected_by_later_runs(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    web.on(PATH, rdap({}, 429, Retry_After="3600"))
    whois.on("shop.com", "WHOIS LIMIT EXCEEDED\n")
    first = ask(web, whois, tmp_path).first
    again = ask(web, whois, tmp_path).first
    assert days(first) == days(again) == ["rdap rate-limited", "whois rate-limited"]
    assert len(web.requests) == len(whois.questions) == 1
    for one in (*first, *again):
        assert one.until and one.answered
    soon = datetime.now(UTC) + timedelta(minutes=59)
    assert first[0].until and soon < first[0].until < soon + timedelta(minutes=2)


def test_a_wait_that_is_over_or_absurd_is_none(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    web.on(PATH, rdap(domain_object("shop.com")))
    for moment in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "soon", 7):
        (tmp_path / "registry.json").write_text(json.dumps({"waits": {f"rdap 127.0.0.1:{web.port}": moment}}))
        assert days(ask(web, whois, tmp_path).first) == ["rdap 2027-03-01"]


def test_a_retry_after_of_years_is_a_day_at_most(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    web.on(PATH, rdap({}, 429, Retry_After="999999999"))
    until = ask(web, whois, tmp_path).first[0].until
    assert until and until <= datetime.now(UTC) + timedelta(days=1)


def test_a_date_that_is_suddenly_nearer_is_read_a_second_time(
    web: WebServer, whois: WhoisServer, tmp_path: Path
) -> None:
    web.on(PATH, rdap(domain_object("shop.com", "2029-03-01T10:00:00Z")), rdap(domain_object("shop.com")))
    whois.on("shop.com", DATED.format("2027-03-01"))
    assert ask(web, whois, tmp_path).again == ()
    a_day_later(tmp_path)
    seen = ask(web, whois, tmp_path)
    assert (days(seen.first), days(seen.again)) == (["rdap 2027-03-01"], ["whois 2027-03-01"])
    assert seen.last == datetime(2029, 3, 1, 10, tzinfo=UTC)
    assert expiry(tmp_path) == "2027-03-01T10:00:00Z"
    assert ask(web, whois, tmp_path).again == ()


def test_the_same_source_is_read_again_where_the_other_is_dumb(
    web: WebServer, whois: WhoisServer, tmp_path: Path
) -> None:
    slip, true = rdap(domain_object("shop.com")), rdap(domain_object("shop.com", "2029-03-01T10:00:00Z"))
    web.on(PATH, true, slip, true)
    whois.on("shop.com", "Domain: shop.com\nStatus: ok\nRegistrar: X\n")
    ask(web, whois, tmp_path)
    a_day_later(tmp_path)
    seen = ask(web, whois, tmp_path)
    assert days(seen.first) == ["rdap 2027-03-01"]
    assert days(seen.again) == ["whois no date", "rdap 2029-03-01"]
    assert kept(tmp_path)["dates"]["shop.com"]["expires_at"] == "2029-03-01T10:00:00Z"


def test_a_nearer_date_that_two_runs_read_is_kept(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    true, nearer = (rdap(domain_object("shop.com", f"20{year}-03-01T10:00:00Z")) for year in (29, 27))
    web.on(PATH, true, nearer)
    whois.on("shop.com", DATED.format("2028-03-01"))
    for _ in range(2):
        ask(web, whois, tmp_path)
        a_day_later(tmp_path)
    assert kept(tmp_path)["dates"]["shop.com"]["doubt"] == "2027-03-01T10:00:00Z"
    ask(web, whois, tmp_path)
    assert expiry(tmp_path) == "2027-03-01T10:00:00Z"


def test_a_domain_that_is_suddenly_gone_is_asked_for_again(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    web.on(PATH, rdap(domain_object("shop.com", "2029-03-01T10:00:00Z")), not_found())
    ask(web, whois, tmp_path)
    a_day_later(tmp_path)
    seen = ask(web, whois, tmp_path)
    assert days(seen.first) == ["rdap not registered"] and days(seen.again) == ["whois not registered"]
    assert kept(tmp_path)["dates"] == {}


def test_a_data_directory_that_cannot_be_written_is_harmless(web: WebServer, whois: WhoisServer) -> None:
    web.on(PATH, rdap(domain_object("shop.com")))
    assert days(ask(web, whois, "/proc/nowhere").first) == ["rdap 2027-03-01"]


def soon(days_left: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days_left)).strftime("%Y-%m-%dT10:00:00Z")


@pytest.mark.parametrize(("days_left", "more", "questions"), [(90, {}, 1), (50, {}, 2), (90, {"status": ["x"]}, 1)])
def test_a_date_far_off_is_asked_for_once_a_day(
    web: WebServer, whois: WhoisServer, tmp_path: Path, days_left: int, more: dict[str, Any], questions: int
) -> None:
    web.on(PATH, rdap(domain_object("shop.com", soon(days_left), **more)))
    fresh, again = ask(web, whois, tmp_path).first[0], ask(web, whois, tmp_path).first[0]
    assert len(web.requests) == questions
    assert (again.expires, again.registrar, again.statuses, again.dnssec) == (
        fresh.expires, fresh.registrar, fresh.statuses, fresh.dnssec,
    )  # fmt: skip
    assert (again.at is None) == (questions == 2)
    a_day_later(tmp_path)
    assert ask(web, whois, tmp_path).first[0].at is None


@pytest.mark.parametrize("status", ["client hold", "redemption period", "inactive"])
def test_a_domain_in_trouble_is_asked_for_each_time(
    web: WebServer, whois: WhoisServer, tmp_path: Path, status: str
) -> None:
    web.on(PATH, rdap(domain_object("shop.com", soon(300), status=[status])))
    for _ in range(2):
        assert ask(web, whois, tmp_path).first[0].at is None


def test_an_instant_in_the_future_spares_nobody_a_question(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    web.on(PATH, rdap(domain_object("shop.com", soon(300))))
    ask(web, whois, tmp_path)
    known = kept(tmp_path)
    known["asked"]["shop.com"] = "2099-01-01T00:00:00Z"
    (tmp_path / "registry.json").write_text(json.dumps(known))
    ask(web, whois, tmp_path)
    assert len(web.requests) == 2


def test_another_server_in_the_config_is_asked_at_once(web: WebServer, whois: WhoisServer, tmp_path: Path) -> None:
    web.on(PATH, rdap(domain_object("shop.com", soon(300))))
    whois.on("shop.com", f"Domain Name: shop.com\nRegistry Expiry Date: {soon(310)}\n")
    ask(web, whois, tmp_path)
    assert days(look_up(Question("shop.com", "", whois.place, str(tmp_path)), 10).first)[0].startswith("whois")


FORTY = [f"shop{number}.example" for number in range(40)]


class Strict(WhoisServer):
    """Answers so many questions, then refuses; it notes how many connections were open at once."""

    allowed = 5

    def _serve(self, sock: Any) -> None:
        self.open = getattr(self, "open", 0) + 1
        self.most = max(getattr(self, "most", 0), self.open)
        for domain in FORTY:
            good = f"Domain Name: {domain}\nRegistry Expiry Date: {soon(90)}\n"
            self.on(domain, good if len(self.questions) < self.allowed else "Query rate limit exceeded\n")
        super()._serve(sock)

    def _play(self, sock: Any, step: Any) -> bool:
        going = super()._play(sock, step)
        self.open -= 1  # the client has not seen the end yet
        return going


def hourly(server: Strict, folder: Path) -> list[Observation]:
    """One run over all forty, an hour after the last: the server's patience is back."""
    if (folder / "registry.json").exists():
        known = kept(folder)
        known["waits"] = {}
        (folder / "registry.json").write_text(json.dumps(known))
    server.questions.clear()
    with ThreadPoolExecutor(40) as threads:
        looks = [threads.submit(look_up, Question(name, "", server.place, str(folder)), 30.0) for name in FORTY]
        return [look.result() for look in looks]


def test_forty_domains_of_one_server_ask_one_at_a_time_and_all_are_known_within_hours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pom_cli.checks.whois.turns.PAUSE_S", 0.0)
    with Strict() as server:
        for hour in range(1, 9):
            hourly(server, tmp_path)
            assert len(kept(tmp_path)["dates"]) == min(40, 5 * hour)
            assert len(server.questions) == (6 if hour < 8 else 5)  # none after the refusal
        assert server.most == 1
        hourly(server, tmp_path)
        assert server.questions == []


def test_the_domain_longest_unseen_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pom_cli.checks.whois.turns.GATHER_S", 1.0)
    monkeypatch.setattr("pom_cli.checks.whois.turns.PAUSE_S", 0.0)
    known = {"asked": {name: f"2026-01-{40 - number:02}T00:00:00Z" for number, name in enumerate(FORTY) if number > 9}}
    (tmp_path / "registry.json").write_text(json.dumps(known))
    with Strict() as server:
        server.allowed = 40
        hourly(server, tmp_path)
        assert set(server.questions[:10]) == set(FORTY[:10])  # never seen
        assert server.questions[10:] == FORTY[:9:-1]


def test_questions_to_one_server_keep_a_pause(whois: WhoisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    for name in FORTY[:3]:
        look_up(Question(name, "", whois.place), 10)
    assert time.monotonic() - begun >= 2 * turns.PAUSE_S


def test_whose_turn_does_not_come_in_time_is_not_asked_for(whois: WhoisServer, tmp_path: Path) -> None:
    with turns.turn(f"whois 127.0.0.1:{whois.port}", 0.0, Deadline.after(10)):
        (answer,) = look_up(Question("shop.example", "", whois.place, str(tmp_path)), 0.2).first
    assert (answer.ending, answer.reason) == (Ending.FAILED, "other domains were asked for first")
    assert answer.answered
    assert whois.questions == []
    assert "asked" not in kept(tmp_path)

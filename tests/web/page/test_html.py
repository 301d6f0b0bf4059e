"""The status page's text: what it says, that nothing breaks out of it, and that it asks nobody for anything."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_pictures import DAY_MS, HOUR, NOW, days, picture, system
from page_reader import Page

from pom_cli.config.page import Announcement
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status
from pom_cli.text import clean
from pom_cli.web.page import html as page
from pom_cli.web.page.data import Picture, System, Uptime
from pom_cli.web.page.incidents import Incident


def incident(
    label: str, worst: Status, begun: datetime, ended: datetime | None, alert: str = "health", number: int | None = None
) -> Incident:
    """Numbered by what it is, unless that is said."""
    key = abs(hash((label, worst, begun, alert))) if number is None else number
    return Incident(key, label, label, alert, worst, begun, ended)


def read(*systems: System, **more: object) -> Page:
    return Page(page.html(picture(*systems, **more)))


class TestHeadline:
    TABLE = (
        ((OPERATIONAL,), "All systems operational"),
        ((OPERATIONAL, OPERATIONAL, OPERATIONAL), "All systems operational"),
        ((UNREACHABLE, OPERATIONAL, DEGRADED), "s0 unreachable since 06:42; s2 degraded since 06:42"),
        ((ERROR,), "s0 failing since 06:42"),
        ((UNKNOWN, OPERATIONAL), "Status of 1 of 2 systems unknown"),
        ((UNKNOWN, UNKNOWN), "Status unknown"),
        ((UNKNOWN, ERROR, OPERATIONAL), "s1 failing since 06:42"),
    )

    @pytest.mark.parametrize(("statuses", "told"), TABLE)
    def test_it_is_the_title_and_the_first_heading(self, statuses: tuple[Status, ...], told: str) -> None:
        found = read(*(system(f"s{number}", status) for number, status in enumerate(statuses)), title="Our status")
        assert found.text_of("title")[0] == f"{told} · Our status"
        assert found.text_of("h1") == [told]
        assert found.text_of("p", "title") == ["Our status"]

    def test_each_of_the_bad_ones_has_its_own_time_and_a_link_to_it(self) -> None:
        found = read(
            system("a", ERROR, NOW - HOUR),
            system("b", DEGRADED, NOW - 26 * HOUR, label="The <b>"),
            system("c", UNKNOWN, NOW - 90 * HOUR),
        )
        assert found.text_of("h1") == ["a failing since 06:42; The <b> degraded since 23 Nov, 05:42"]
        assert [one["href"] for one in found.all("a")][:2] == ["#s0", "#s1"]

    def test_nothing_known_is_no_good_news(self) -> None:
        assert read().text_of("h1") == ["No systems are monitored yet"]
        assert read(system(status=UNKNOWN, since=None, days=())).text_of("h1") == ["No system has been checked yet"]

    def test_overdue_checks_are_told_of_and_all_is_well_no_longer(self) -> None:
        seen = NOW - 5 * HOUR
        found = read(system("a", overdue=True, seen_at=seen), system("b"))
        assert found.text_of("h1") == ["All systems operational when last checked"]
        note = "Checks of 1 of 2 systems are overdue. The status shown may be out of date; last checked"
        assert found.text_of("div", "caveat") == [f"{note} 02:42 UTC."]
        assert "for 1 h. Last checked 02:42" in found.text
        assert 'class="banner unknown"' in page.html(picture(system("a", overdue=True)))

    def test_an_offline_monitor_says_so(self) -> None:
        found = read(system("a", UNKNOWN, last_known=OPERATIONAL), offline_since=NOW - HOUR)
        assert found.text_of("h1") == ["Status unknown"]
        (note,) = found.text_of("div", "caveat")
        assert note.startswith("Our monitoring is offline since 06:42 UTC. The status shown may be out of date")
        assert found.text_of("span", "word") == ["Unknown (last known: operational)"]

    def test_many_that_are_not_well_are_counted_and_not_all_named(self) -> None:
        found = read(*(system(f"s{n}", ERROR) for n in range(7)), system("ok"))
        assert found.text_of("h1")[0].endswith("s2 failing since 06:42; 4 more")


class TestMaintenance:
    def test_what_is_under_maintenance_is_said_to_be_and_is_not_bad(self) -> None:
        found = read(system("a", UNREACHABLE, maintenance_until=NOW + HOUR), system("b"))
        assert found.text_of("h1") == ["Maintenance in progress"]
        assert found.text_of("div", "news") == ["Under maintenance: a until 08:42"]
        assert found.text_of("span", "word") == ["Under maintenance", "Operational"]
        assert 'class="banner ok"' in page.html(picture(system(maintenance_until=NOW + HOUR)))

    def test_an_outage_elsewhere_still_leads(self) -> None:
        found = read(system("b", ERROR), system("a", maintenance_until=NOW + HOUR))
        assert found.text_of("h1") == ["b failing since 06:42"]
        assert found.text_of("div", "news") == ["Under maintenance: a until 08:42"]

    def test_announcements_stand_on_top_with_their_times(self) -> None:
        news = (Announcement(NOW - HOUR, NOW + HOUR, "Database <upgrade>"),
                Announcement(NOW + 30 * HOUR, NOW + 45 * HOUR, "New data centre"))  # fmt: skip
        assert read(system(), announcements=news).text_of("div", "news") == [
            "Now: Database <upgrade> (06:42 to 08:42 UTC)",
            "Planned: New data centre (25 Nov, 13:42 to 26 Nov, 04:42 UTC)",
        ]


class TestWhose:
    def test_title_home_and_contact_are_the_operator_s(self) -> None:
        text = page.html(
            picture(system(), title="Our <status>", home="https://example.com/a?b=1&c", contact="mailto:a@example.com")
        )
        found = Page(text)
        assert found.text_of("p", "title") == ["Our <status> example.com"]
        assert [one["href"] for one in found.all("a")] == [
            "https://example.com/a?b=1&c", "feed.xml", "mailto:a@example.com"
        ]  # fmt: skip
        assert "Contact: a@example.com" in found.text

    def test_without_them_it_is_a_status_page_all_the_same(self) -> None:
        found = read(system())
        assert found.text_of("title")[0] == "All systems operational · Status"
        assert [one["href"] for one in found.all("a")] == ["feed.xml"]
        assert {"rel": "alternate", "type": "application/atom+xml", "title": "Status", "href": "feed.xml"} in found.all(
            "link"
        )


class TestWhatItShows:
    def test_a_system_with_everything(self) -> None:
        found = read(
            system(
                "shop",
                DEGRADED,
                NOW - 49 * HOUR,
                uptime=(("24 hours", Uptime(DAY_MS, DAY_MS, DAY_MS * 0.99999)),
                        ("7 days", Uptime(DAY_MS, DAY_MS / 2, DAY_MS / 2)), ("30 days", Uptime(DAY_MS, 0, 0))),
                days=days((63, 0.5), (89, 0.01), first=62),
                latency=(None, 61.2, None, 1840.0, *[80.0] * 21),
                median_ms=80.4,
            )
        )  # fmt: skip
        assert found.text_of("h3") == ["shop"]
        assert found.text_of("span", "word") == ["Degraded"]
        assert "Since 22 Nov, 06:42, for 2 days 1 h" in found.text
        assert found.text_of("dl") == ["24 hours99.99%7 days100%50% measured30 daysno data"]
        assert "Response time80 ms 61 ms to 1.8 s in 24 hours" in found.text
        bars, line = (one["aria-label"] for one in found.all("svg") if one.get("role") == "img")
        assert bars == (
            "Uptime by day, 27 Aug to 24 Nov: 26 days without downtime; downtime on 29 Oct (50% up), 24 Nov (99% up);"
            " 62 days not measured."
        )
        assert (
            line
            == "Response time by the hour over the last 24 hours: from 61 ms to 1.8 s; 1 hour without a good answer."
        )

    def test_a_bar_says_what_it_is(self) -> None:
        some = list(days((87, 0.25), first=1))
        some[88] = replace(some[88], degraded_ms=DAY_MS / 12, maintenance_ms=1.5 * DAY_MS / 24, deployments=2)
        tips = read(system(days=tuple(some))).text_of("rect")
        assert [one for one in tips if one][:2] == ["27 Aug: not measured", "28 Aug: 100% up"]
        assert [one for one in tips if one][-3:] == [
            "22 Nov: 75% up, down for 6 h",
            "23 Nov: 100% up, degraded for 2 h, maintenance for 1 h 30 min, 2 deployments",
            "24 Nov (today): 100% up",
        ]

    def test_a_system_without_health_has_no_charts(self) -> None:
        found = read(system(uptime=(), days=(), latency=(), median_ms=None))
        assert not [one for one in found.all("svg") if one.get("role") == "img"]
        assert "Uptime is not measured." in found.text

    def test_a_system_without_a_good_answer_has_no_line(self) -> None:
        found = read(system(latency=(None,) * 25, median_ms=None))
        assert "No good answer in the last 24 hours" in found.text

    def test_incidents_with_their_times(self) -> None:
        then = datetime(2026, 11, 23, 22, 10, tzinfo=UTC)
        incidents = (
            incident("shop", UNREACHABLE, NOW - HOUR, None),
            incident("blog", ERROR, then, then + timedelta(minutes=45), "route"),
            incident("blog", DEGRADED, then, then + timedelta(hours=30), "tls-expiry"),
            incident("blog", ERROR, then - timedelta(days=350), then - timedelta(days=350)),
        )
        found = read(system(), incidents=incidents, more=True)
        assert found.text_of("p", "when") == [
            "Since 06:42",
            "23 Nov, 22:10 to 22:55",
            "23 Nov, 22:10 to 25 Nov, 04:10",
            "8 Dec 2025, 22:10 to 22:10",
        ]
        assert found.text_of("p", "long") == ["Ongoing, 1 h so far", "45 min", "1 day 6 h", "under a minute"]
        assert found.text_of("p", "what")[:3] == [
            "shop UnreachableDid not answer",
            "blog FailingSome pages failed",
            "blog DegradedCertificate due for renewal",
        ]
        assert "Only the newest are shown." in found.text
        whole = [one["datetime"] for one in found.all("time") if one.get("class") == "whole"]
        assert whole == ["P0DT1H0M0S", "P0DT0H45M0S", "P1DT6H0M0S", "P0DT0H0M0S"]

    def test_no_incidents(self) -> None:
        assert "No incidents in the last 30 days." in read(system()).text

    def test_when_it_was_made(self) -> None:
        found = read(system())
        assert "As of 07:42 UTC" in found.text
        assert {"datetime": "2026-11-24T07:42:09Z"} in found.all("time")

    def test_it_does_not_refresh_itself(self) -> None:
        assert not [one for one in read(system()).all("meta") if "http-equiv" in one]

    def test_without_a_readable_database_it_says_only_that(self) -> None:
        found = Page(page.unreadable(NOW))
        assert found.text_of("h1") == ["Status is currently unavailable"]
        assert "07:42 UTC" in found.text
        check_structure(found)


def check_structure(found: Page) -> None:
    """What a browser and a screen reader need, and nothing that could fetch or run."""
    assert found.all("html") == [{"lang": "en"}]
    assert [len(found.all(tag)) for tag in ("head", "header", "main", "footer", "h1")] == [1] * 5
    levels = [int(tag[1]) for tag in found.shape if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for reference in found.references():
        assert reference == "feed.xml" or reference.startswith("data:image/svg+xml;base64,") or (
            reference[0] == "#" and reference[1:] in ids
        ), reference  # fmt: skip
    for tag, attributes in found.tags:
        assert tag not in ("script", "iframe", "object", "embed", "form", "base", "img")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert attributes.get("aria-labelledby", ids[0] if ids else "") in ids or "aria-labelledby" not in attributes
    charts = [one for one in found.all("svg") if one.get("aria-hidden") != "true" and one]
    assert all(one["role"] == "img" and one["aria-label"] for one in charts)


HOSTILE = (
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title><b>", "'", "</style>", "&lt;", "<!--"),
    *("]]>", "a\u202eb", "\ud800", "\x00", "</svg><p>", "x" * 5000),
)
names = st.one_of(st.text(), st.sampled_from(HOSTILE))
statuses = st.sampled_from(tuple(Status))
instants = st.one_of(
    st.none(), st.integers(1_600_000_000, 1_795_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))
)
floats = st.floats(0, DAY_MS)
latencies = st.lists(st.one_of(st.none(), st.floats(0, 60_000)), min_size=25, max_size=25).map(tuple)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Picture, Picture]:
    """A picture with names from outside, and the same with plain ones."""
    hostile, plain = [], []
    for number in range(draw(st.integers(0, 4))):
        shares = draw(st.lists(st.tuples(st.integers(0, 89), st.floats(0, 1)), max_size=3))
        known = draw(floats)
        more = {
            "days": draw(st.sampled_from(((), days(*shares, first=draw(st.integers(0, 90)))))),
            "latency": draw(latencies),
            "median_ms": draw(st.one_of(st.none(), st.floats(0, 60_000))),
            "overdue": draw(st.booleans()),
            "seen_at": draw(instants),
            "last_known": draw(st.one_of(st.none(), statuses)),
            "maintenance_until": draw(st.one_of(st.none(), st.just(NOW + HOUR))),
            "uptime": (("24 hours", Uptime(DAY_MS, known, known * draw(st.floats(0, 1)))),),
        }
        status, since = draw(statuses), draw(instants)
        hostile.append(System(f"s{number}", draw(names), status, since, **more))
        plain.append(System(f"s{number}", f"s{number}", status, since, **more))
    times = draw(st.lists(st.tuples(statuses, instants, instants), max_size=3))
    incidents = [[incident(name, worst, begun or NOW, ended, number=n) for n, (worst, begun, ended) in enumerate(times)]
                 for name in (draw(names), "plain")]  # fmt: skip
    offline, more_ = draw(instants), draw(st.booleans())
    return (
        Picture(NOW, tuple(hostile), tuple(incidents[0]), more_, offline),
        Picture(NOW, tuple(plain), tuple(incidents[1]), more_, offline),
    )


class TestNothingBreaksOut:
    @pytest.mark.slow
    @settings(max_examples=150, deadline=None)
    @given(pictures())
    def test_any_name_is_text_and_changes_no_tag(self, pair: tuple[Picture, Picture]) -> None:
        hostile, plain = (Page(page.html(one)) for one in pair)
        check_structure(hostile)
        assert hostile.shape == plain.shape
        assert hostile.text_of("h3") == [" ".join(clean(one.label, 80).split()) for one in pair[0].systems]
        page.html(pair[0]).encode()

    def test_nothing_points_outside(self) -> None:
        text = page.html(picture(system("a", ERROR), system("b"), incidents=(incident("a", ERROR, NOW, None),)))
        assert not re.search(r"https?:|//[a-z]|@import|url\(", text)

    def test_a_hundred_systems_fit_in_half_a_megabyte(self) -> None:
        worst = [
            system("n" * 64, UNREACHABLE, days=days(*((n, 0.123456) for n in range(90))), overdue=True, seen_at=NOW,
                   latency=tuple(1000 / (n + 7) for n in range(25)),
                   uptime=tuple((w, Uptime(DAY_MS, DAY_MS / 3, DAY_MS / 7)) for w in ("24 hours", "7 days", "30 days")))
            for _ in range(100)
        ]  # fmt: skip
        incidents = tuple(incident("n" * 64, ERROR, NOW - 900 * HOUR, NOW, number=n) for n in range(100))
        assert len(page.html(picture(*worst, incidents=incidents)).encode()) < 500_000

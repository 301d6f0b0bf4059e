"""pom check: kinds, targets and URLs in any order → one run over them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pom_cli import checks, session
from pom_cli.checks import KINDS
from pom_cli.errors import PomError, UsageError
from pom_cli.text import without_passwords
from pom_cli.toml.address import is_address_like, typed_url
from pom_cli.toml.secrets import Secrets
from pom_cli.toml.table import Table, nearest

if TYPE_CHECKING:
    from sqlite3 import Connection

    from pom_cli.config import Config
    from pom_cli.jobs import Job
    from pom_cli.model import Key
    from pom_cli.pipeline import Report


@click.command(epilog=session.one_of("KIND", KINDS))
@click.argument(
    "words", nargs=-1, metavar="[KIND|TARGET|URL]...", shell_complete=session.completing("kinds", "targets")
)
@click.option("--due", is_flag=True, help="Skip checks that ran within their interval (used by timers).")
@click.option("--dry-run", is_flag=True, help="Check and print; store nothing, alert nobody.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], due: bool, dry_run: bool, as_json: bool) -> int:
    """Check targets, store the results, and send alerts.

    Without arguments every kind of check runs on every target. A URL is checked ad hoc: nothing is stored and nobody is
    alerted.

    Exit codes: 0 everything is operational, 1 something is not, 2 wrong usage or config, 3 PoM itself failed.

    Example: pom check health makenotwork
    """
    from pom_cli import pipeline

    now = session.now()
    urls = _urls(context, words)
    named = [word for word in words if word not in urls]
    report = pipeline.Report([])
    broken: tuple[str, ...] | None = None
    if urls:
        kinds = [word for word in named if word in KINDS]
        adhoc = _adhoc(urls.values(), kinds)
        _tell_idle(kinds, [url for url in urls.values() if url not in {job.target.name for job in adhoc}])
        report = _merged(report, _look_only(adhoc, now, Secrets().masked))
    if not urls or any(word not in KINDS for word in named):
        loaded = session.config_for_timer(context) if due and not dry_run else session.config(context)
        broken = loaded.broken
        jobs = _named(loaded, named)
        if not jobs:
            _tell_idle([word for word in named if word in KINDS], [word for word in named if word not in KINDS] or None)
        if dry_run:
            report = _merged(report, _look_only(jobs, now, loaded.secrets.masked))
        else:
            report = _merged(report, _run(loaded, jobs, due, now, as_json))
    show(report, as_json)
    if due and not report.results:
        click.echo("nothing is due", err=True)  # so that the journal shows this run, too
    session.complain(report.faults)
    if report.faults:
        return 3
    if broken:
        return 2
    return 1 if any(result.finding.status != "operational" for result in report.results) else 0


def _tell_idle(kinds: Sequence[str], names: Sequence[str] | None) -> None:
    """Say that none of these kinds is there to be looked at; `names` are those without one, None for every target."""
    if names is None or names:
        where = ", ".join(map(without_passwords, names or ())) or "any target"
        click.echo(f"nothing to check: no {' or '.join(kinds) or 'check'} on {where}", err=True)


def _run(loaded: "Config", jobs: "list[Job]", due: bool, now: datetime, as_json: bool) -> "Report":
    import os
    from functools import partial

    from pom_cli import jobs as looks
    from pom_cli import pipeline
    from pom_cli.alerting import config_broken, outbox

    database = session.database(loaded)
    if not due:
        session.complain(filter(None, [config_broken.keep_by_hand(loaded, os.environ)]))
    try:
        wanted = looks.due(loaded, jobs, database, now) if due else jobs
        owed = database.read(partial(outbox.undelivered, config=loaded)) or config_broken.pending(loaded, database)
        if not wanted and not owed and not database.fault:
            return pipeline.Report([])
        report = pipeline.run(loaded, wanted, database, now, "stderr" if as_json else "stdout")
        return replace(report, held=database.read(partial(_held, about={one.key for one in report.results})))
    finally:
        database.close()


def _held(db: "Connection", about: "set[Key]") -> tuple[str, ...]:
    """What this run judged and did not speak of, with what keeps it quiet. Of the rest nobody knows what it is now."""
    from pom_cli.store import alerts

    judged = {(key.target, alert) for key in about for alert in KINDS[key.kind]}
    found = [one for name, one in alerts.load(db).items() if one.held and name in judged]
    return tuple(f"held ({one.held}): {one.target} {one.alert}" for one in found)


def _named(loaded: "Config", words: Iterable[str]) -> "list[Job]":
    from pom_cli import jobs as looks

    kinds, names = [], []
    for word in words:
        if word in KINDS:
            kinds.append(word)
        elif word in loaded.targets:
            names.append(word)
        else:
            known = {*KINDS, *loaded.targets}
            raise UsageError(f"{word!r} is neither a kind of check, nor a target, nor a URL{nearest(word, known)}")
    return looks.jobs_of(session.targets(loaded, names), kinds or KINDS)


def _urls(context: click.Context, words: Iterable[str]) -> dict[str, str]:
    """The words that are URLs, or bare hosts, with the URL of each: what looks like one and is not a target's name."""
    urls = [word for word in words if is_address_like(word)]
    if any("://" not in url for url in urls):
        try:
            targets: Collection[str] = session.config(context).targets
        except PomError:
            targets = ()  # without a config that loads there are no targets
        urls = [url for url in urls if url not in targets]
    return {word: _url(word) for word in urls}


def _url(word: str) -> str:
    try:
        return typed_url(word)
    except ValueError:
        raise UsageError(f"{without_passwords(word)!r} is not a URL like https://example.com") from None


def _adhoc(urls: Iterable[str], kinds: Iterable[str]) -> "list[Job]":
    """Jobs for bare URLs: every kind that the URL allows, or those of `kinds` among them."""
    from pom_cli.config import Check, Ops, Target, site_of
    from pom_cli.jobs import Job

    jobs = []
    for url in urls:
        site = site_of(url, url)
        target = Target(url, site, Ops(), (), {})
        for kind in list(kinds) or list(KINDS):
            module = checks.load(kind)
            if module.adhoc(site):
                settings = module.parse(Table({}, kind, []), site)
                jobs.append(Job(target, kind, Check(settings, site.interval)))
    return jobs


def _look_only(jobs: "list[Job]", now: datetime, safe: "Callable[[Any], Any]") -> "Report":
    from pom_cli import jobs as looks
    from pom_cli import pipeline
    from pom_cli.model import Key

    seen = looks.look(jobs)
    results = [
        pipeline.Result(Key(one[0].target.name, one[0].kind, finding.subject), looks.masked(finding, safe), now)
        for one in seen
        for finding in looks.judge(one, {}, now)
    ]
    return pipeline.Report(results, faults=pipeline.faults(results))


def _merged(one: "Report", other: "Report") -> "Report":
    from pom_cli.pipeline import Report

    return Report(
        one.results + other.results,
        one.notices + other.notices,
        one.undelivered + other.undelivered,
        one.faults + other.faults,
        one.held + other.held,
    )


def show(report: "Report", as_json: bool) -> None:
    if as_json:
        session.print_json(as_json_of(report))
        return
    from pom_cli.report import render

    for result in report.results:
        click.echo(render.result_line(result))
    for notice in report.notices:
        click.echo(render.notice_line(notice))
    for one in report.held:
        click.echo(f"{one}; will be sent afterwards if still failing")
    if report.undelivered:
        click.echo(f"undelivered: {report.undelivered}; see pom alerts")


def as_json_of(report: "Report") -> dict[str, Any]:
    from pom_cli.times import utc

    return {
        "results": [
            {
                "target": result.key.target,
                "kind": result.key.kind,
                "subject": result.key.subject,
                "status": result.finding.status.value,
                "summary": result.finding.summary,
                "latency_ms": result.finding.latency_ms,
                "checked_at": utc(result.checked_at),
                "detail": dict(result.finding.detail),
            }
            for result in report.results
        ],
        "notices": [notice.as_json() for notice in report.notices],
        "undelivered": report.undelivered,
    }

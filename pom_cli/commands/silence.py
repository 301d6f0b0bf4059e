"""pom silence: maintenance. Results are recorded and notices held; when it ends, the state is evaluated again."""

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from pom_cli import session
from pom_cli.checks import KINDS

if TYPE_CHECKING:
    from pom_cli.config import Config
    from pom_cli.model import Silence

_LONGEST = timedelta(days=90)


@click.command(epilog=session.one_of("KIND", KINDS))
@click.argument("target", required=False, shell_complete=session.completing("targets", "peers", "*"))
@click.option("--for", "length", metavar="DURATION", help='How long, for example "30m".')
@click.option(
    "--kind", default="", metavar="KIND", help="Only this kind of check.", shell_complete=session.completing("kinds")
)
@click.option("--reason", default="", metavar="TEXT", help="Shown in the list.")
@click.option("--list", "listing", is_flag=True, help="List the active silences, including those in the config.")
@click.option("--lift", is_flag=True, help="End this target's manual silences (all without TARGET).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    target: str | None,
    length: str | None,
    kind: str,
    reason: str,
    listing: bool,
    lift: bool,
    as_json: bool,
) -> int:
    """Keep a target quiet for a while. Peers pick it up at their next heartbeat.

    Example: pom silence makenotwork --for 30m --reason "database upgrade"
    """
    if (lift or listing) and (length is not None or (lift and listing)):
        raise click.UsageError("--for, --list and --lift do not go together", context)
    loaded, now = session.config(context), session.now()
    _check(loaded, target, kind)
    if lift or listing:
        return _list_or_lift(loaded, target, kind, lift, as_json, now)
    if target is None or length is None:
        raise click.UsageError("name a TARGET and --for DURATION, or use --list or --lift", context)
    from uuid import uuid4

    from pom_cli.model import Silence
    from pom_cli.store import silences
    from pom_cli.text import clean

    name = loaded.instance.name
    one = Silence(uuid4().hex, target, kind, now, now + _duration(length), clean(reason), by=_user(), origin=name)
    _write(loaded, partial(silences.merge, silences=[one]))
    _show([one], as_json)
    return 0


def _user() -> str:
    """Who types this; under sudo, who called it."""
    import os
    from pwd import getpwuid

    from pom_cli.text import clean

    try:
        return clean(os.environ.get("SUDO_USER") or getpwuid(os.getuid()).pw_name, 64)
    except KeyError:
        return f"uid {os.getuid()}"


def _check(loaded: "Config", target: str | None, kind: str) -> None:
    from pom_cli.errors import UsageError
    from pom_cli.toml.table import nearest

    known = {*loaded.targets, *loaded.peers, "*"}
    if target is not None and target not in known:
        raise UsageError(f"{target!r} is neither a target nor a peer{nearest(target, known)}")
    if kind and kind not in KINDS:
        raise UsageError(f"--kind: {kind!r} is not a kind of check{nearest(kind, KINDS)}")


def _duration(text: str) -> timedelta:
    from pom_cli.errors import UsageError
    from pom_cli.times import duration

    try:
        length = duration(text)
    except ValueError:
        raise UsageError(f'--for: {text!r} is not a duration like "30m"') from None
    if not timedelta(seconds=1) <= length <= _LONGEST:
        raise UsageError(f"--for: {text!r} is not between 1s and 90d")
    return length


def _list_or_lift(loaded: "Config", target: str | None, kind: str, lift: bool, as_json: bool, now: datetime) -> int:
    from pom_cli.store import silences

    chosen = (target,) if lift else ("*", target)  # what silences everything is not lifted for one
    by_config = [] if lift else [window.opened(now) for window in loaded.silences]
    found = [
        one
        for one in [*_write(loaded, partial(silences.load, now=now)), *filter(None, by_config)]
        if one.covers(now) and (target is None or one.target in chosen) and kind in ("", one.kind)
    ]
    if lift:
        _write(loaded, partial(silences.lift, chosen=[one.id for one in found], now=now))
    _show(found, as_json, "lifted: " if lift else "")
    return 0


def _write(loaded: "Config", work: Any) -> Any:
    database = session.database(loaded)
    try:
        session.complain([database.fault] if database.fault else [])
        return database.write(work)
    finally:
        database.close()


def _show(found: "list[Silence]", as_json: bool, lead: str = "") -> None:
    from pom_cli.report import silences

    shown = [silences.silence_json(one) for one in found]
    if as_json:
        session.print_json({"silences": shown})
        return
    for one in shown:
        click.echo(f"{lead}{silences.line(one)}")
    if not found:
        click.echo("no silence to lift" if lead else "no active silences")

"""Alerts that would end by themselves where they were posted are kept alive while they are open."""

from functools import partial

from pom_cli.config import Config
from pom_cli.store import kept
from pom_cli.store.spare import Database

TIMEOUT = 5.0  # seconds


def keep_alive(config: Config, database: Database) -> tuple[str, ...]:
    """Say again what is open, by each channel that forgets; the faults, which stop nothing."""
    settings = config.alerts.settings.get("alertmanager")
    if settings is None:
        return ()
    from pom_cli.channels import alertmanager

    mails = database.read(partial(kept.open_alerts, channel=alertmanager.RECIPIENT))
    fault = alertmanager.keep(mails, settings, TIMEOUT)
    return (f"open alerts are not kept alive: {fault}",) if fault else ()

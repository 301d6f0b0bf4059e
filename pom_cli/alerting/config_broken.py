"""The last config that loaded, kept next to the database: used while pom.toml is broken.

A typo must not stop the monitoring. Only timers and `pom serve` use it; a command run by hand reports the errors.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from pom_cli import config, privileges
from pom_cli.alerting.announce import Case, settle
from pom_cli.alerting.delivery import Delivery, deliver
from pom_cli.config import Config
from pom_cli.errors import ConfigError, UsageError
from pom_cli.model import ERROR, OPERATIONAL, Condition
from pom_cli.store import alerts as alert_rows
from pom_cli.store.spare import Database
from pom_cli.text import listed
from pom_cli.toml import paths

COPY = "last-good.toml"
_DATA_DIR = re.compile(r"""^\s*data_dir\s*=\s*(["'])(/[^"'\n]*)\1""", re.MULTILINE)
ALERT = "config-broken"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The config at `path` or, if that is broken, the copy, with the reasons in `broken`.

    Raises the file's own ConfigError or UsageError if there is no usable copy.
    """
    try:
        return replace(config.load(path, environ), broken=())
    except (ConfigError, UsageError) as error:
        for folder in _folders(path, environ):
            try:
                with privileges.lent(folder):
                    text = (folder / COPY).read_text(encoding="utf-8")
                stand_in = config.parse(text, path, environ, files=False)
            except (OSError, UnicodeDecodeError, ConfigError):
                continue
            return replace(stand_in, broken=tuple(str(error).splitlines()))
        raise


def _folders(path: Path, environ: Mapping[str, str]) -> list[Path]:
    """Where the copy may be: in the data_dir that the broken file names, as far as it can be read, or the usual one."""
    try:
        named = _DATA_DIR.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        named = None
    return [*([Path(named[2])] if named else []), paths.default_instance(path, environ)[1]]


def keep(loaded: Config, environ: Mapping[str, str]) -> str:
    """Keep a config that loaded well, in data_dir and where `load` will look for it. Says why it could not, else ""."""
    if loaded.broken:
        return ""
    own, usual = loaded.instance.data_dir, paths.default_instance(loaded.path, environ)[1]
    for folder in dict.fromkeys((own, usual)):
        try:
            with privileges.lent(folder):
                _keep(folder / COPY, loaded.text, make=folder == own)
        except OSError as error:
            return f"{folder / COPY}: cannot be kept: {error.strerror or error}"
    return ""


def keep_by_hand(loaded: Config, environ: Mapping[str, str]) -> str:
    """The same after a run by hand, unless it went by another file than the timers do: that one is on trial."""
    usual = paths.find(None, environ)
    if usual.resolve() != loaded.path.resolve() and os.access(usual, os.F_OK):
        return ""
    return keep(loaded, environ)


def _keep(path: Path, text: str, make: bool) -> None:
    """Whole or not at all, and only where it changed: a run every minute must not write every minute."""
    content = text.encode()
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        if not make and not path.parent.is_dir():
            return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), 0o640)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def cases(loaded: Config) -> list[Case]:
    """What a timer's run has to say of its config; nothing in a run by hand, which may be about another file."""
    if loaded.broken is None:
        return []
    if loaded.broken:
        return [Case(Condition("", ALERT, ERROR, listed(loaded.broken)))]
    return [Case(Condition("", ALERT, OPERATIONAL, "it loads again"))]


def pending(loaded: Config, database: Database) -> bool:
    """Is there anything to say of the config: it is broken, or was when operators last heard of it."""
    if loaded.broken is None:
        return False
    known = database.read(partial(alert_rows.one, target="", alert=ALERT))
    return bool(loaded.broken) or (known is not None and (known.open or known.announced.status is not None))


def tell(loaded: Config, database: Database, clock: Callable[[], datetime]) -> Delivery:
    """Say it, and deliver what is due: for a timer's run that does not alert otherwise."""
    notices = database.write(partial(settle, cases=cases(loaded), config=loaded, now=clock()))
    told = deliver(loaded, database, clock, "stderr")
    return replace(told, notices=notices + told.notices)

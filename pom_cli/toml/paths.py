"""The default paths of the config and the data of an installation."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

ETC = Path("/etc/pom/pom.toml")


def find(option: str | None, environ: Mapping[str, str]) -> Path:
    """The config in use: the option, else $POM_CONFIG, else /etc/pom/pom.toml, else the user's own."""
    named = option or environ.get("POM_CONFIG")
    if named:
        return Path(named)
    try:
        ETC.stat()
    except (FileNotFoundError, NotADirectoryError):
        return user_config(environ)
    except OSError:
        return ETC  # it exists, but this user may not read it: loading it reports that
    return ETC


def user_config(environ: Mapping[str, str]) -> Path:
    """The user's own config: $XDG_CONFIG_HOME/pom/pom.toml (XDG Base Directory Specification)."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / "pom" / "pom.toml"


def default_instance(path: Path, environ: Mapping[str, str]) -> tuple[str, Path]:
    """Name and data_dir of an instance whose config at `path` says nothing of them."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", os.uname().nodename.split(".")[0])[:64].lstrip("-.")
    return name or "pom", _data_dir(path, environ)


def _data_dir(path: Path, environ: Mapping[str, str]) -> Path:
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    installed = os.path.normpath(path.absolute()) == str(ETC)
    return Path("/var/lib/pom") if installed else _xdg(environ, "XDG_DATA_HOME", ".local/share") / "pom"


def _xdg(environ: Mapping[str, str], name: str, fallback: str) -> Path:
    given = Path(environ.get(name) or "")
    if given.is_absolute():  # the specification has relative paths ignored
        return given
    return Path(environ.get("HOME") or os.path.expanduser("~")) / fallback  # noqa: PTH111 - Path.home() may raise

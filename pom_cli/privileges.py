"""Root steps down: what an operator's run writes must stay writable for the user that the timers run as."""

import os
from pathlib import Path

from pom_cli.errors import PomError


def become(folder: Path) -> None:
    """Where this is root, go on for good as the user to whom `folder` belongs; else, or without a folder, do nothing.

    Config and secrets are read before, since root may be the only one who can read them. Everything after it (the
    database, its journal, ssh) then works as in a timer's run, rights included. Raises PomError where that user cannot
    even read this program.
    """
    if os.geteuid() != 0:
        return
    try:
        found = folder.stat()
    except OSError:
        return  # opening the database says what is wrong there
    if found.st_uid == 0:
        return
    _become(found.st_uid, found.st_gid)


def _become(user: int, group: int) -> None:
    import pwd

    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        os.setgroups([group])  # a number without a name has no further groups
    else:
        os.initgroups(entry.pw_name, group)
        os.environ.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
    os.setgid(group)
    os.setuid(user)
    if not all(os.access(file, os.R_OK) for file in (os.__file__, __file__)):
        ours = f"{Path(__file__).parent} or {os.__file__}"
        raise PomError(f"the data folder belongs to user {user}, who cannot read {ours}")

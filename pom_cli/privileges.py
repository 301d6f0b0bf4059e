"""Root drops privileges before it touches a data folder: its owner could have replaced a file with a link.

Besides, what an operator's run writes must stay writable for the user that the timers run as.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pom_cli.errors import PomError


def become(folder: Path) -> None:
    """If running as root, switch permanently to the owner of `folder`; else, or without a folder, do nothing.

    Config and secrets are read before, since root may be the only one who can read them. Everything after it (the
    database, its journal, ssh) then works as in a timer's run, rights included. Raises PomError where that user cannot
    even read this program.
    """
    owner = _other_owner(folder)
    if owner is None:
        return
    user, group = owner
    home = _join_groups(user, group)
    os.environ.update(home)
    os.setgid(group)
    os.setuid(user)
    if not all(os.access(file, os.R_OK) for file in (os.__file__, __file__)):
        ours = f"{Path(__file__).parent} or {os.__file__}"
        raise PomError(f"the data folder belongs to user {user}, who cannot read {ours}")


@contextmanager
def lent(folder: Path) -> Iterator[None]:
    """The same for a while: root comes back for what root alone can do elsewhere, as writing into /root."""
    owner = _other_owner(folder)
    if owner is None:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    _join_groups(*owner)
    os.setegid(owner[1])
    os.seteuid(owner[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _other_owner(folder: Path) -> tuple[int, int] | None:
    """User and group of the folder where this is root and the folder is not root's; else there is nobody to become."""
    if os.geteuid() != 0:
        return None
    try:
        found = folder.stat()
    except OSError:
        return None  # opening the database says what is wrong there
    return (found.st_uid, found.st_gid) if found.st_uid else None


def _join_groups(user: int, group: int) -> dict[str, str]:
    """Take this user's groups; gives what the environment then says of the user."""
    import pwd

    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        os.setgroups([group])  # a number without a name has no further groups
        return {}
    os.initgroups(entry.pw_name, group)
    return {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}

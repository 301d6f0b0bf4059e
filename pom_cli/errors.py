"""The errors that PoM raises on purpose, each with the exit code that its kind of fault has."""


class PomError(Exception):
    """A fault that is printed as one line; `exit_code` is the exit code of the process."""

    exit_code = 3


class UsageError(PomError):
    """Wrong use: an unknown word on the command line, a file that cannot be read."""

    exit_code = 2


class ConfigError(PomError):
    """The config has mistakes: `problems` holds one line for each, with its dotted path."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreError(PomError):
    """The database cannot be used: newer than this release, unreadable, full, locked for long."""

"""One instant by which an operation must have ended, with all its steps. Only the monotonic clock counts."""

import time

from pom_cli.frozen import dataclass


@dataclass(frozen=True)
class Deadline:
    """An instant of the monotonic clock; `seconds` is how long it was away when it was set."""

    seconds: float
    ends: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(seconds, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError once it has passed."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def part(self, share: int) -> "Deadline":
        """An earlier deadline: one `share`-th of what is left."""
        left = self.remaining()
        return Deadline(self.seconds, self.ends - left + left / share)


def since_ms(start: float) -> float:
    """Milliseconds since `start`, an instant of `time.monotonic`."""
    return (time.monotonic() - start) * 1000

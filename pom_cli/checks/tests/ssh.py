"""Pure: the argument list that runs a test command over the system's ssh, or here. Nothing in it is left to a shell
but the command itself, at the far end.

Both ways run the same small script around the command. It ends the command with everything that it started once its own
standard input ends, as it does when PoM lets go, dies, or the connection breaks; and, should no such word come through,
a while after the time limit. It says on standard error, which is its own alone, how the command ended.
"""

import math
import re

from pom_cli.checks.tests.summary import plain
from pom_cli.text import clean

_OPTIONS = (
    "BatchMode=yes",  # never a prompt
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "RemoteCommand=none",  # one in the user's own ssh_config would stand in the way of ours
)
CUT = "cut"  # in the place of an exit code: the script ended the command
_LATER_S = 60  # after the time limit, when PoM should have cut it long ago

# POSIX sh as one line of words, with nothing in it that a login shell would read in another way in single quotes: no
# quote, no backslash, no "!" but before a space (csh). Its arguments: seconds, the run's id, the shell ("": the login
# shell), the command as `printf %b` takes it. setsid gives the command a group of its own; what has left that group is
# found by the id in its environment, where there is a Linux /proc.
_WORDS = """
id=$2; c=$(printf %bx "$4"); c=${c%x}; n=; cut=;
exec 3<&0 </dev/null;
if command -v setsid >/dev/null 2>&1; then n=setsid; else set -m; fi;
strike() {
  alive=1;
  kill -s "$1" -- "-$p" && alive=0;
  kill -s "$1" "$p" && alive=0;
  for f in $(grep -ls "POM_TEST_RUN=$id" /proc/[0-9]*/environ); do
    f=${f#/proc/}; kill -s "$1" "${f%/environ}" && alive=0;
  done;
  return $alive;
} 2>/dev/null;
finish() {
  strike TERM; i=0;
  while sleep 1; [ $i -lt 15 ] && strike 0; do
    i=$((i + 1)); if [ $i -ge 10 ]; then strike KILL; fi;
  done;
};
tell="while kill -s TERM $$; do sleep 1; done";
trap "cut=1" TERM;
POM_TEST_RUN=$id $n "${3:-${SHELL:-/bin/sh}}" -c "$c" 2>&1 3<&- & p=$! ;
{ while read -r x; do :; done; eval "$tell"; } <&3 >/dev/null 2>&1 & w=$! ;
$n /bin/sh -c "sleep $1; $tell" >/dev/null 2>&1 3<&- & k=$! ;
exec 3<&-;
[ "$cut" ] || wait $p; r=$?;
trap "" TERM;
{ kill -s KILL $w; kill -s KILL $k; kill -s KILL -- "-$k"; } 2>/dev/null;
if [ "$cut" ]; then finish; r=cut; fi;
echo "pom-test-run $id $r" >&2;
if [ $r = cut ]; then r=143; fi;
exit $r
"""
_SCRIPT = " ".join(_WORDS.split())
_UNSAFE = re.compile(rb"[^ -~]|['\\!]")
_MARK = re.compile(r"pom-test-run ([0-9a-f]+) ([0-9]{1,3}|cut)")


def there(destination: str, command: str, limit_s: float, run: str) -> list[str]:
    """The arguments that run `command` with the login shell of an ssh destination, as `ssh destination command` would.

    The destination cannot be taken for an option. `run` is hexadecimal.
    """
    options = [word for option in _OPTIONS for word in ("-o", option)]
    words = [_SCRIPT, "pom", *_arguments("", command, limit_s, run)]
    return ["ssh", *options, "-T", "--", destination, "exec /bin/sh -c " + " ".join(f"'{word}'" for word in words)]


def here(command: str, limit_s: float, run: str) -> list[str]:
    """The arguments that run `command` with this machine's /bin/sh."""
    return ["/bin/sh", "-c", _SCRIPT, "pom", *_arguments("/bin/sh", command, limit_s, run)]


def _arguments(shell: str, command: str, limit_s: float, run: str) -> list[str]:
    escaped = _UNSAFE.sub(lambda found: b"\\0%03o" % found[0][0], command.encode())
    return [str(math.ceil(limit_s) + _LATER_S), run, shell, escaped.decode("ascii")]


def ending(told: str, run: str) -> str | None:
    """How the command ended, as the script told on standard error: an exit code or `cut`. None: it did not tell."""
    found = [match[2] for line in told.splitlines() if (match := _MARK.search(line)) and match[1] == run]
    return found[-1] if found else None


def complaint(told: str) -> str:
    """ssh's own last word on standard error, in short: `ssh: Permission denied (publickey)`."""
    lines = [line for raw in told.splitlines() if (line := clean(plain(raw))) and not _MARK.search(line)]
    word = re.sub(r"^\S+@\S+: ", "", lines[-1].rstrip(".")) if lines else "it failed without a word"
    return word if word.startswith("ssh: ") else f"ssh: {word}"

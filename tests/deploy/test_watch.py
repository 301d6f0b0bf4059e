"""The reader of traces itself: a watch that sees nothing would prove nothing."""

from root_watch import read

TRACE = """\
10 openat(AT_FDCWD</root>, "/data/pom/a", O_RDONLY) = 3</data/pom/a>
10 newfstatat(AT_FDCWD</root>, "/data/pom/b", {st_mode=S_IFREG}, 0) = 0
10 mkdir("/elsewhere", 0700) = 0
10 vfork( <unfinished ...>
11 setuid(0) = -1 EPERM (Operation not permitted)
11 setresuid(-1, 999, -1) = 0
10 <... vfork resumed>) = 5 /* 11 in strace's PID NS */
11 unlinkat(AT_FDCWD</data/pom>, "c", 0) = 0
11 clone(child_stack=NULL, flags=SIGCHLD) = 6 /* 12 in strace's PID NS */
12 openat(AT_FDCWD</data/pom>, "/etc/ld.so.cache", O_RDONLY) = 3</etc/ld.so.cache>
12 rename("/data/pom/d", "/data/pom/e") = 0
12 setreuid(-1, 0) = 0
12 chown("/data/pom/f", 0, 0) = 0
10 openat(AT_FDCWD</>, "link", O_WRONLY) = 4</data/pom/g>
"""


def test_calls_below_the_folder_are_told_apart_by_who_made_them() -> None:
    touched = read(TRACE, "/data/pom")
    assert [line.split("(")[0] for line in touched.by_root] == ["10 openat", "12 chown", "10 openat"]
    assert [line.split("(")[0] for line in touched.by_others] == ["11 unlinkat", "12 rename"]

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Pom

from pom_cli import __main__, __version__, cli
from pom_cli.cli import COMMANDS

SHOP = '[targets.shop]\nurl = "http://127.0.0.1:9"\n'


class TestHelp:
    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_it_lists_every_command_with_a_line_of_help(self, option: str, pom: Pom) -> None:
        ran = pom(option)
        assert (ran.code, ran.err) == (0, "")
        for name, help in COMMANDS.items():
            assert f"  {name:<{max(map(len, COMMANDS))}}  {help}\n" in ran.out

    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_every_command_has_its_own(self, command: str, option: str, pom: Pom) -> None:
        ran = pom(command, option)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"Usage: pom {command} ")

    def test_without_a_command_it_is_shown_and_the_use_is_wrong(self, pom: Pom) -> None:
        ran = pom()
        assert (ran.code, ran.out) == (2, "")
        assert "Commands:" in ran.err

    def test_the_version(self, pom: Pom) -> None:
        assert pom("--version").out == f"pom, version {__version__}\n"

    def test_a_shell_can_ask_for_completions(self, pom_process: Pom) -> None:
        env = {"_POM_COMPLETE": "bash_complete", "COMP_WORDS": "pom ch", "COMP_CWORD": "1"}
        ran = pom_process(env=env)
        assert (ran.code, ran.out) == (0, "plain,check\n")

    @pytest.mark.parametrize(
        ("line", "offered"),
        [
            ("check s", ["shop"]),
            ("check health b", ["blog"]),
            ("check r", ["routes"]),
            ("status ", ["shop", "blog"]),
            ("test s", ["shop"]),
            ("test re", ["record"]),
            ("test record b", ["blog"]),
            ("history s", ["shop"]),
            ("history shop --kind t", ["tls", "tests"]),
            ("silence a", ["astra"]),
            ("silence shop --kind c", ["cors"]),
            ("silence --lift s", ["shop"]),
            ("runbook peer", ["peer-missing"]),
            ("runbook peer-missing a", ["astra"]),
            ("alerts r", ["retry"]),
            ("config s", ["show"]),
        ],
    )
    def test_kinds_targets_and_peers_are_completed_wherever_a_command_takes_one(
        self, line: str, offered: list[str], pom_process: Pom, config_file: Callable[[str], Path]
    ) -> None:
        site = 'url = "http://127.0.0.1:9"'
        path = config_file(f"[targets.shop]\n{site}\n[targets.blog]\n{site}\n[peers.astra]\n{site}")
        words = f"pom {line}"
        env = {"_POM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        ran = pom_process(env=env | {"POM_CONFIG": str(path)})
        assert (ran.out.splitlines(), ran.err) == ([f"plain,{word}" for word in offered], "")

    def test_the_config_is_completed_as_a_file(self, pom_process: Pom) -> None:
        env = {"_POM_COMPLETE": "bash_complete", "COMP_WORDS": "pom --config ", "COMP_CWORD": "2"}
        assert pom_process(env=env).out == "file,\n"


class TestWrongUse:
    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["chekc"], "'chekc' is not a command; did you mean 'check'? (try pom --help)"),
            (["zzz"], f"'zzz' is not a command; known here: {', '.join(sorted(COMMANDS)[:12])}"
                      f"{', …' if len(COMMANDS) > 12 else ''} (try pom --help)"),
            ([""], f"'' is not a command; known here: {', '.join(sorted(COMMANDS)[:12])}"
                   f"{', …' if len(COMMANDS) > 12 else ''} (try pom --help)"),
            (["a\nb\x1b[2J"], r"'a\nb\x1b[2J' is not a command; "),
            (["--confg", "x", "check"], "no such option '--confg'; did you mean '--config'? (try pom --help)"),
            (["-x"], "no such option '-x' (try pom --help)"),
            (["--config"], "option '--config' requires an argument (try pom --help)"),
            (["check", "--deu"], "no such option '--deu'; did you mean '--due'? (try pom check --help)"),
            (["check", "--config", "x"],
             "no such option '--config'; it goes before the command (try pom check --help)"),
            (["check", "--json=1"], "option '--json' does not take a value (try pom"),
            (["init"], "missing argument 'URL...' (try pom init --help)"),
            (["prune", "now"], "got unexpected extra argument (now) (try pom prune --help)"),
            (["config", "chekc"], "no such command 'chekc'"),
            (["--config", "/nonexistent/pom.toml", "config", "check"],
             "/nonexistent/pom.toml: no such file; 'pom init URL' writes a first config there"),
        ],
    )  # fmt: skip
    def test_it_is_told_in_one_line_and_ends_with_2(self, words: list[str], complaint: str, pom: Pom) -> None:
        ran = pom(*words)
        assert (ran.code, ran.out) == (2, "")
        assert len(ran.complaints) == 1
        assert ran.complaints[0].startswith(f"pom: {complaint}")

    def test_a_target_that_is_not_there_is_told_with_the_nearest(self, pom: Pom) -> None:
        ran = pom("status", "shpo", config=SHOP)
        assert (ran.code, ran.complaints) == (2, ["pom: 'shpo' is not a target; did you mean 'shop'?"])

    def test_every_mistake_of_the_config_has_its_line(self, pom: Pom) -> None:
        ran = pom("status", config="[serve]\nlisten = 1\npages = true\n" + SHOP)
        assert ran.code == 2
        assert ran.complaints == [
            'pom: serve.listen: 1 is not an address like "127.0.0.1:9100"',
            "pom: serve.pages: unknown key (its value: true); did you mean 'page'?",
        ]


class TestTheConfigInUse:
    def test_the_option_comes_before_the_variable(self, pom: Pom, tmp_path: Path) -> None:
        ran = pom("config", "check", config=SHOP, env={"POM_CONFIG": str(tmp_path / "other.toml")})
        assert ran.code == 0

    def test_the_variable_comes_before_the_user_s_own(self, pom: Pom, tmp_path: Path) -> None:
        (tmp_path / "other.toml").write_text(SHOP)
        ran = pom("config", "check", env={"POM_CONFIG": str(tmp_path / "other.toml")})
        assert ran.out.startswith(f"{tmp_path}/other.toml: no errors")

    def test_without_any_the_user_s_own_is_missed(self, pom: Pom, home: Path) -> None:
        ran = pom("config", "check")
        told = f"pom: {home}/.config/pom/pom.toml: no such file; 'pom init URL' writes a first config there"
        assert (ran.code, ran.complaints) == (2, [told])


class TestEnds:
    """How the process ends, whatever happens in it."""

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Pom:
        """Runs `pom status` in a process where its command does this."""

        def run(*body: str, command: str = "status") -> subprocess.CompletedProcess[str]:
            lines = [
                "import sys",
                f"sys.argv[1:] = [{command!r}]",
                "import pom_cli.commands.status as status",
                "def broken(*args, **more):",
                *(f"    {line}" for line in body),
                "status.command.callback = broken",
                "from pom_cli.__main__ import main",
                "main()",
            ]
            environ = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
            return subprocess.run([sys.executable, "-c", "\n".join(lines)], env=environ, capture_output=True,
                                  encoding="utf-8", timeout=60, check=False)  # fmt: skip

        return run

    def test_a_crash_is_3_and_never_the_1_of_a_target_that_is_down(self, broken: Pom) -> None:
        ran = broken("raise ZeroDivisionError('by nothing')")
        assert ran.returncode == 3
        assert "ZeroDivisionError: by nothing" in ran.stderr
        assert ran.stderr.splitlines()[-1] == "pom: it crashed; that is a fault of PoM, not of a target"

    @pytest.mark.parametrize(
        "raised", ["MemoryError()", "RecursionError()", "ImportError('no module')", "OSError(5, 'x')"]
    )
    def test_whatever_it_was(self, raised: str, broken: Pom) -> None:
        assert broken(f"raise {raised}").returncode == 3

    def test_an_import_that_fails_is_3(self, tmp_path: Path) -> None:
        (tmp_path / "click").mkdir()
        (tmp_path / "click" / "__init__.py").write_text("raise ImportError('no click here')")
        environ = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "HOME": str(tmp_path)}
        ran = subprocess.run([sys.executable, "-m", "pom_cli", "--help"], env=environ, capture_output=True,
                             encoding="utf-8", timeout=60, check=False)  # fmt: skip
        assert ran.returncode == 3
        assert "no click here" in ran.stderr

    def test_a_command_whose_module_is_broken_is_3_and_the_help_stays(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "pom_cli.commands.prune", None)
        assert __main__.run(["prune"]) == 3
        assert "ModuleNotFoundError" in capsys.readouterr().err
        assert __main__.run(["--help"]) == 0

    def test_a_command_s_own_number_is_the_exit_code(self, broken: Pom) -> None:
        assert [broken(f"return {code}").returncode for code in (0, 1, 2, 3)] == [0, 1, 2, 3]
        assert broken("return None").returncode == 0

    def test_an_interrupt_is_130_and_quiet(self, broken: Pom) -> None:
        ran = broken("import os, signal", "os.kill(os.getpid(), signal.SIGINT)")
        assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")

    def test_a_thread_that_hangs_holds_up_no_exit(self, broken: Pom) -> None:
        ran = broken(
            "import threading, time",
            "threading.Thread(target=time.sleep, args=(3600,)).start()",
            "print('done')",
            "return 1",
        )
        assert (ran.returncode, ran.stdout) == (1, "done\n")

    def test_a_reader_that_leaves_is_no_crash(self, tmp_path: Path) -> None:
        many = "".join(f'[targets.t{n}]\nurl = "http://127.0.0.1:9/{"x" * 500}"\n' for n in range(300))
        (tmp_path / "pom.toml").write_text(many)
        pom = f"{sys.executable} -m pom_cli --config pom.toml"
        script = f"({pom} config show; echo $? >&2) | head -1"
        environ = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(["sh", "-c", script], env=environ, cwd=tmp_path, capture_output=True, encoding="utf-8",
                             timeout=60, check=False)  # fmt: skip
        assert ran.stdout == "# pom.toml, with every default; secrets are masked\n"
        assert ran.stderr == "141\n"

    @pytest.mark.parametrize("words", [("--version",), ("status",), ("config", "show")])
    def test_a_full_disk_under_the_output_is_pom_s_own_fault(self, pom_process: Pom, words: tuple[str, ...]) -> None:
        with Path("/dev/full").open("w") as full:
            ran = pom_process(*words, config=SHOP, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert (ran.code, ran.err) == (3, "pom: its output cannot be written: No space left on device\n")

    def test_closed_outputs_are_no_crash(self, tmp_path: Path) -> None:
        (tmp_path / "pom.toml").write_text(SHOP)
        script = f"{sys.executable} -m pom_cli --config pom.toml status >&- 2>&-"
        environ = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        assert subprocess.run(["sh", "-c", script], env=environ, cwd=tmp_path, timeout=60, check=False).returncode == 1

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_an_output_that_has_no_arrow_gets_the_rest(self, encoding: str, pom_process: Pom) -> None:
        text = SHOP + 'health = { expect_text = "→" }'
        ran = pom_process("config", "show", config=text, env={"PYTHONIOENCODING": encoding})
        assert ran.code == 0
        assert re.search(r'(?m)^expect_text = "[?→]"$', ran.out)


def test_one_name_is_enough_to_run_it(pom_process: Pom) -> None:
    assert pom_process("--version").out == f"pom, version {__version__}\n"


def test_a_result_that_is_no_number_is_well(pom: Pom) -> None:
    assert pom("config", "show", config=SHOP).code == 0


def test_the_table_of_commands_names_nothing_that_is_not_there() -> None:
    context = cli.root.make_context("pom", ["check"])
    assert all(cli.root.get_command(context, name) for name in COMMANDS)

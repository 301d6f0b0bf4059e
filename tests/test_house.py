"""The house keeps its rules: which module may know which, what each kind and command must have, what start-up costs."""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT, Pom

from pom_cli import cli, config
from pom_cli.checks import KINDS
from pom_cli.cli import COMMANDS
from pom_cli.toml.table import Table

CODE = ROOT / "pom_cli"
README = ROOT / "README.md"
UNITS = sorted((ROOT / "timers").glob("*.*"))
FILES = sorted(CODE.rglob("*.py"))
NAMES = {
    str(path.relative_to(CODE).with_suffix("")).replace("/", ".").removesuffix(".__init__"): path for path in FILES
}
HEAVY = {"requests", "urllib3", "cryptography", "dns", "whois", "sqlite_utils", "rich", "waitress"}
ALLOWED_ON_TOP = {
    "pyproject.toml",
    "pom_cli",
    "tests",
    "timers",
    "deploy.sh",
    "README.md",
    "LICENSE",
    "requirements.lock",
}


@dataclass(frozen=True)
class Import:
    """One import of a file."""

    module: str  # ours without the `pom_cli.`
    ours: bool
    at_start: bool  # not inside a function


def imports_of(path: Path, types_too: bool = False) -> list[Import]:
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")), True, types_too))


def _imports(tree: ast.AST, at_start: bool, types_too: bool) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if not types_too and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (_import(name.name, at_start) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from pom_cli import x` means the module x where there is one.
            deeper = [f"{node.module}.{name.name}" for name in node.names]
            yield from (_import(name if name.removeprefix("pom_cli.") in NAMES else node.module or "", at_start)
                        for name in deeper)  # fmt: skip
        else:
            yield from _imports(node, at_start and not isinstance(node, ast.FunctionDef), types_too)


def _import(module: str, at_start: bool) -> Import:
    return Import(module.removeprefix("pom_cli").removeprefix("."), module.split(".")[0] == "pom_cli", at_start)


IMPORTS = {name: imports_of(path) for name, path in NAMES.items()}
# Decisions, not deeds: these files and everything of ours that they import do no input or output.
PURE = (
    "model", "times", "text", "errors", "quantiles", "alerting.states", "alerting.decide", "checks.drift",
    "checks.steps", "messages.wording", "messages.compose", "messages.runbook",
)  # fmt: skip
IO = {
    "socket",
    "ssl",
    "select",
    "subprocess",
    "sqlite3",
    "threading",
    "http",
    "urllib.request",
    "smtplib",
    "shutil",
    "os",
}
CLICK = ("cli", "commands", "session", "report.render", "checks.tests.watch")  # what people see


class TestWhoKnowsWhom:
    def test_the_graph_of_folders_has_no_circle(self) -> None:
        graph: dict[str, set[str]] = {}
        for name, path in NAMES.items():
            known = {folder(one.module) for one in imports_of(path, types_too=True) if one.ours}
            graph.setdefault(folder(name), set()).update(known - {folder(name)})
        TopologicalSorter(graph).prepare()  # it raises, and names the circle

    def test_no_imports_of_files_run_in_a_circle(self) -> None:
        known = {name: imports_of(path, types_too=True) for name, path in NAMES.items()}
        graph = {name: {one.module for one in ones if one.ours} - {name} for name, ones in known.items()}
        TopologicalSorter(graph).prepare()

    @pytest.mark.parametrize("name", PURE)
    def test_pure_files_do_no_io(self, name: str) -> None:
        assert not {one.module for one in IMPORTS[name] if not one.ours} & IO

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_third_parties_are_imported_where_their_work_is_done(self, name: str) -> None:
        early = {one.module.split(".")[0] for one in IMPORTS[name] if one.at_start and not one.ours}
        allowed = {"click"} if any(is_in(name, one) for one in CLICK) else set()
        if name in ("web.server", "web.channel"):
            allowed |= {"waitress"}  # `pom serve` alone loads these
        assert early - set(sys.stdlib_module_names) <= allowed

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_only_the_store_speaks_sql(self, name: str) -> None:
        spoken = re.findall(r"\.execute(?:many|script)?\((?!\s*\"PRAGMA)", NAMES[name].read_text(encoding="utf-8"))
        assert is_in(name, "store") or not spoken

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_one_module_alone_parses_what_comes_from_outside(self, name: str) -> None:
        text = NAMES[name].read_text(encoding="utf-8")
        parsed = re.findall(r"\bjson\.loads?\(|\.json\(\)|\btoml(?:i|lib)\b\.|ElementTree|minidom|\bexpat\b", text)
        # The store reads back what it wrote itself; the child of `opinion` is handed our own JSON.
        assert not parsed or name == "outside" or is_in(name, "store") or parsed == ["json.load("]

    def test_no_module_is_called_after_nothing(self) -> None:
        assert not {name.split(".")[-1] for name in NAMES} & {"utils", "helpers", "common", "manager", "base", "misc"}


def folder(module: str) -> str:
    """The folder that a module is in; a file at the top counts as one."""
    return module.split(".")[0]


def is_in(name: str, package: str) -> bool:
    return not package or name == package or name.startswith(f"{package}.")


class TestSize:
    @pytest.mark.parametrize("name", sorted(set(NAMES) - {"frozen"}))
    def test_frozen_dataclasses_are_made_the_fast_way(self, name: str) -> None:
        text = NAMES[name].read_text(encoding="utf-8")
        slow = re.search(r"(?m)^from dataclasses import .*\bdataclass\b", text)
        assert not (slow and "@dataclass(frozen=True)" in text)

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_no_file_and_no_function_is_long(self, name: str) -> None:
        text = NAMES[name].read_text(encoding="utf-8")
        assert text.count("\n") <= 300
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        assert [one.name for one in functions if (one.end_lineno or 0) - one.lineno >= 50] == []

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_every_file_says_what_lives_in_it(self, name: str) -> None:
        tree = ast.parse(NAMES[name].read_text(encoding="utf-8"))
        assert not tree.body or ast.get_docstring(tree)


class TestKinds:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_has_its_module_and_its_test(self, kind: str) -> None:
        assert f"checks.{kind}" in NAMES
        assert (ROOT / "tests" / "checks" / f"test_{kind}.py").is_file()

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_has_its_timer(self, kind: str) -> None:
        services = [path.with_suffix(".service") for path in UNITS if path.suffix == ".timer"]
        lines = [path.read_text(encoding="utf-8") for path in services if path.exists()]
        assert sum(bool(re.search(rf"(?m)^ExecStart=.* check --due .*\b{kind}\b", text)) for text in lines) == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_has_its_row_in_the_readme(self, kind: str) -> None:
        assert f"\n| `{kind}` | " in README.read_text(encoding="utf-8")

    def test_no_module_of_a_kind_is_left_out_of_the_list(self) -> None:
        kinds = {
            name.removeprefix("checks.")
            for name in NAMES
            if is_in(name, "checks") and "RUNBOOK = " in NAMES[name].read_text()
        }
        assert kinds == set(KINDS)


class TestCommands:
    @pytest.mark.parametrize("command", [*COMMANDS, "alerts test", "alerts retry", "config check", "config show"])
    def test_every_command_has_its_help_with_an_example(self, command: str, pom: Pom) -> None:
        ran = pom(*command.split(), "--help")
        assert ran.code == 0
        assert re.search(rf"Example: pom (--config \S+ )?{command}", " ".join(ran.out.split()))

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_its_row_in_the_readme(self, command: str) -> None:
        assert re.search(rf"(?m)^\| `pom {command}\b", README.read_text(encoding="utf-8"))

    def test_no_command_is_left_out_of_the_table(self) -> None:
        assert {path.stem for path in (CODE / "commands").glob("[!_]*.py")} == set(COMMANDS)


def command_lines() -> list[tuple[str, str]]:
    """Every command line of the units, with the kinds put in for `%i`."""
    found = []
    for unit in UNITS:
        for line in re.findall(r"(?m)^Exec\w+=[-+!:@]*(.*)$", unit.read_text(encoding="utf-8")):
            kinds = [path.stem.partition("@")[2] for path in UNITS if path.match(f"{unit.stem}*.timer")]
            found += [(unit.name, line.replace("%i", kind)) for kind in (kinds if "%i" in line else [""])]
    return found


class TestUnits:
    @pytest.mark.parametrize(("unit", "line"), command_lines())
    def test_every_command_line_is_one_that_pom_accepts(self, unit: str, line: str) -> None:
        program, command, *words = shlex.split(line)
        assert Path(program).name == "pom"
        with cli.root.make_context("pom", [command]) as context:
            found = cli.root.get_command(context, command)
            assert found is not None
            found.make_context(command, words, parent=context)
        assert not [word for word in words if not word.startswith("-") and word not in KINDS]


def test_the_readme_s_toml_loads() -> None:
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```", README.read_text(encoding="utf-8"))
    assert blocks
    for block in blocks:
        config.parse(block, Path("/x/pom.toml"), {"HOME": "/home/ops", "POM_POSTMARK_TOKEN": "x"})


def test_every_key_of_the_config_stands_in_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[str, str]] = set()
    finish = Table.finish

    def noted(table: Table) -> None:
        asked.update((table.path, key) for key in table.known if key != "interval" or table.path.count(".") < 2)
        finish(table)

    monkeypatch.setattr(Table, "finish", noted)
    block = max(re.findall(r"(?ms)^```toml\n(.*?)^```", README.read_text(encoding="utf-8")), key=len)
    config.parse(block, Path("/x/pom.toml"), {"HOME": "/home/ops", "POM_POSTMARK_TOKEN": "x"})
    sections = {part.partition("]")[0]: part for part in re.split(r"(?m)^\[+", block)}
    for path, key in {one for one in asked if not one[0].endswith(".runbook")}:  # its keys are the kinds of alert
        nearest = max((head for head in sections if path.startswith(head)), key=len)
        headed = any(head.startswith(f"{path}.{key}".strip(".")) for head in sections)
        assert headed or re.search(rf"\b{key} = ", sections[nearest]), f"{path}.{key}"


class TestStartUp:
    """What a command pulls in, it pays for at every run."""

    def loaded(self, *words: str) -> set[str]:
        code = "import sys, json; from pom_cli import cli; cli.run(sys.argv[1:]); "
        code += "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
        ran = subprocess.run([sys.executable, "-c", code, *words], env={"PYTHONPATH": str(ROOT)}, capture_output=True,
                             encoding="utf-8", timeout=60, check=True)  # fmt: skip
        return set(json.loads(ran.stderr.splitlines()[-1]))

    def test_help_is_click_and_nothing_more(self) -> None:
        loaded = self.loaded("--help")
        assert not loaded & (HEAVY | {"sqlite3", "tomli", "ssl", "socket", "email", "http.client"})
        assert {name for name in loaded if name.startswith("pom_cli")} <= {"pom_cli", "pom_cli.cli", "pom_cli.errors"}

    def test_status_that_is_piped_neither(self, pom: Pom, tmp_path: Path) -> None:
        text = f'[instance]\ndata_dir = "{tmp_path}"\n[targets.shop]\nurl = "http://127.0.0.1:9"\nhealth.attempts = 1\n'
        assert pom("check", config=text).code == 1
        loaded = self.loaded("--config", str(tmp_path / "conf" / "pom.toml"), "status")
        assert not loaded & (HEAVY | {"ssl", "socket", "email", "http.client", "difflib", "concurrent.futures"})


def test_the_top_of_the_repository_holds_what_is_agreed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    tops = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= ALLOWED_ON_TOP

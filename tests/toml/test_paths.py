from pathlib import Path

import pytest

from pom_cli.toml import paths

ENV = {"HOME": "/home/ops", "XDG_CONFIG_HOME": "/home/ops/conf", "XDG_DATA_HOME": "/home/ops/data"}


def installed() -> None:
    paths.ETC.parent.mkdir(parents=True)
    paths.ETC.write_text("")


def test_the_option_comes_first() -> None:
    installed()
    assert paths.find("given.toml", {"POM_CONFIG": "/other.toml", **ENV}) == Path("given.toml")


def test_then_the_variable() -> None:
    installed()
    assert paths.find(None, {"POM_CONFIG": "/other.toml", **ENV}) == Path("/other.toml")


def test_then_the_installed_one() -> None:
    installed()
    assert paths.find(None, {"POM_CONFIG": "", **ENV}) == paths.ETC


def test_then_the_users_own() -> None:
    assert paths.find(None, ENV) == Path("/home/ops/conf/pom/pom.toml")


def test_an_installed_one_that_is_closed_to_this_user_is_still_the_one_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", closed)
    assert paths.find(None, ENV) == paths.ETC


@pytest.mark.parametrize("given", ["", "relative/conf"])
def test_a_folder_that_is_not_absolute_is_ignored(given: str) -> None:
    assert paths.find(None, {"HOME": "/home/ops", "XDG_CONFIG_HOME": given}) == Path("/home/ops/.config/pom/pom.toml")


@pytest.mark.parametrize(
    ("path", "environ", "folder"),
    [
        ("/x/pom.toml", {"STATE_DIRECTORY": "/var/lib/pom:/var/lib/more", **ENV}, "/var/lib/pom"),
        ("/x/pom.toml", ENV, "/home/ops/data/pom"),
        ("/x/pom.toml", {"HOME": "/home/ops"}, "/home/ops/.local/share/pom"),
        ("pom.toml", ENV, "/home/ops/data/pom"),
        ("/etc/pom/pom.toml", ENV, "/var/lib/pom"),
        ("/etc/x/../pom/./pom.toml", ENV, "/var/lib/pom"),
        ("/etc/pom/pom.toml", {"STATE_DIRECTORY": "/srv/pom", **ENV}, "/srv/pom"),
    ],
)
def test_the_data_is_where_systemd_says_else_beside_the_kind_of_installation(
    path: str, environ: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ETC", Path("/etc/pom/pom.toml"))
    assert paths.default_instance(Path(path), environ)[1] == Path(folder)


@pytest.mark.parametrize(
    ("host", "name"),
    [("hetzner", "hetzner"), ("web-1.example.com", "web-1"), ("büro", "b-ro"), (".x", "pom"), ("-x", "x"), ("", "pom"),
     ("h" * 80, "h" * 64)],
)  # fmt: skip
def test_the_name_is_the_host_s_made_fit(host: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Uname:
        nodename = host

    monkeypatch.setattr(paths.os, "uname", Uname)
    assert paths.default_instance(Path("/x"), ENV)[0] == name

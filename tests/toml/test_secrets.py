from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.toml.secrets import Secrets, load, parse, references


@pytest.mark.parametrize(
    ("line", "token"),
    [
        ("POM_API_TOKEN=abc", "abc"),
        ("  POM_API_TOKEN = abc  ", "abc"),
        ('POM_API_TOKEN="a b"', "a b"),
        ("POM_API_TOKEN='a b'", "a b"),
        ('POM_API_TOKEN="a\\"b\\\\c\\$d\\e"', 'a"b\\c$d\\e'),
        ("POM_API_TOKEN='a\\b'", "a\\b"),
        ("POM_API_TOKEN=a\\ b\\\\c", "a b\\c"),
        ("POM_API_TOKEN=a\"b'c", "a\"b'c"),
        ("POM_API_TOKEN='a'\"b\"c", "abc"),
        ("POM_API_TOKEN='open", "'open"),
        ("POM_API_TOKEN=abc # no comment", "abc # no comment"),
        ("POM_API_TOKEN=abc=def==", "abc=def=="),
        ("POM_API_TOKEN=abc\r", "abc"),
        ("POM_API_TOKEN=first\nPOM_API_TOKEN=second", "second"),
        ("POM_API_TOKEN=first\nPOM_API_TOKEN=", ""),
        ("# POM_API_TOKEN=abc", ""),
        ("; POM_API_TOKEN=abc", ""),
        ("export POM_API_TOKEN=abc", ""),
        ("POM_API_TOKEN", ""),
        ("POM_API_TOKEN=''", ""),
        ("", ""),
    ],
)
def test_a_line_of_the_env_file_is_read_as_systemd_reads_it(line: str, token: str) -> None:
    assert parse(line).get("POM_API_TOKEN", "") == token


def test_only_pom_s_own_secrets_are_taken() -> None:
    ours = {"POM_SMTP_PASSWORD": "a", "POM_POSTMARK_TOKEN": "b", "POM_PEER_ASTRA_TOKEN": "c"}
    others = {"PATH": "/bin", "POM_CONFIG": "/x", "POM_PEER_É_TOKEN": "d"}
    assert parse("\n".join(f"{name}={value}" for name, value in {**ours, **others}.items())) == ours


@given(st.text())
def test_no_env_file_is_too_odd_to_be_read(text: str) -> None:
    assert all(values for values in parse(f"POM_API_TOKEN={text}").values())


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("POM_API_TOKEN=file\nPOM_SMTP_PASSWORD=file\nPOM_POSTMARK_TOKEN=file\n")
    known = load({"POM_API_TOKEN": " env\n", "POM_SMTP_PASSWORD": "", "HOME": "/"}, file)
    assert dict(known.values) == {"POM_API_TOKEN": "env", "POM_SMTP_PASSWORD": "file", "POM_POSTMARK_TOKEN": "file"}
    assert known.unreadable == ""


def test_without_a_file_the_environment_is_all(tmp_path: Path) -> None:
    assert load({"POM_API_TOKEN": "env"}, tmp_path / "env") == Secrets({"POM_API_TOKEN": "env"})


def test_a_byte_order_mark_hides_no_secret(tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"\xef\xbb\xbfPOM_API_TOKEN=abc\r\n")
    assert load({}, tmp_path / "env").get("POM_API_TOKEN") == "abc"


def test_a_file_that_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"POM_API_TOKEN=\xe9")
    assert load({"POM_API_TOKEN": "env"}, tmp_path / "folder").unreadable == f"{tmp_path}/folder: Is a directory"
    assert load({}, tmp_path / "latin").unreadable == f"{tmp_path}/latin: not UTF-8"
    assert load({"POM_API_TOKEN": "env"}, tmp_path / "folder").get("POM_API_TOKEN") == "env"


@pytest.mark.parametrize(
    ("token", "accepted"),
    [("", ()), ("one", ("one",)), ("new,old", ("new", "old")), (" new , old ,", ("new", "old")), (",", ())],
)
def test_two_api_tokens_are_accepted_while_they_are_rotated(token: str, accepted: tuple[str, ...]) -> None:
    assert Secrets({"POM_API_TOKEN": token}).api_tokens() == accepted


def test_a_peer_gets_its_own_token_else_the_first_of_the_api() -> None:
    known = Secrets({"POM_API_TOKEN": "new,old", "POM_PEER_NEW_YORK_1_TOKEN": "own"})
    assert known.peer_tokens("new-york.1") == ("own",)
    assert known.peer_tokens("astra") == ("new", "old")
    assert Secrets().peer_tokens("astra") == ()


def test_no_representation_has_a_secret_in_it() -> None:
    known = Secrets({"POM_API_TOKEN": "hush"})
    assert "hush" not in f"{known} {known!r}"


TABLES = {
    "targets": {
        "shop": {
            "url": "env:NOT_HERE",
            "health": {"headers": {"Authorization": "env:SHOP_TOKEN", "Accept": "text/html"}},
            "routes": {"headers": {"X": "env:not a name"}},
        }
    }
}


class TestReferences:
    def test_a_header_names_its_variable(self) -> None:
        assert list(references(TABLES)) == [("targets.shop.health.headers.Authorization", "SHOP_TOKEN")]

    def test_it_is_read_from_the_environment_before_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "env").write_text("SHOP_TOKEN='from the file'\nOTHER=x\n")
        assert load({}, tmp_path / "env", ["SHOP_TOKEN"]).values == {"SHOP_TOKEN": "from the file"}
        assert load({"SHOP_TOKEN": "t"}, tmp_path / "env", ["SHOP_TOKEN"]).get("SHOP_TOKEN") == "t"
        assert load({"SHOP_TOKEN": "t"}, tmp_path / "env").get("SHOP_TOKEN") == ""

"""An instance's id: made once, the same for everybody who asks, and never guessed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from pom_cli.errors import StoreError
from pom_cli.mesh import instance

ASK = (
    "import sys; from pathlib import Path; from pom_cli.mesh import instance;"
    " print(instance.identity(Path(sys.argv[1])))"
)


def test_it_is_made_on_first_use_and_then_stays(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "pom"
    first = instance.identity(folder)
    assert str(UUID(first)) == first
    assert instance.identity(folder) == first
    assert (folder / "instance_id").read_text() == f"{first}\n"
    assert [path.name for path in folder.iterdir()] == ["instance_id"], "no draft is left"


def test_two_folders_have_two_ids(tmp_path: Path) -> None:
    assert instance.identity(tmp_path / "a") != instance.identity(tmp_path / "b")


def test_many_who_make_it_at_once_get_one(tmp_path: Path) -> None:
    folder = tmp_path / "pom"
    command = [sys.executable, "-c", ASK, str(folder)]
    asking = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(instance.__file__).parents[2])
        for _ in range(8)
    ]
    found = {process.communicate(timeout=60)[0].strip() for process in asking}
    assert found == {instance.identity(folder)}
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "text",
    [
        "9B2F8C34-5E1D-4A7B-8F60-0C1D2E3F4A5B\n",
        "9b2f8c345e1d4a7b8f600c1d2e3f4a5b",
        " \n\t9b2f8c34-5e1d-4a7b-8f60-0c1d2e3f4a5b",
    ],
)
def test_what_an_operator_put_there_is_taken_in_any_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "instance_id").write_text(text)
    assert instance.identity(tmp_path) == "9b2f8c34-5e1d-4a7b-8f60-0c1d2e3f4a5b"


@pytest.mark.parametrize("content", [b"", b"hetzner\n", b"\xff\xfe\x00", b"x" * 100_000])
def test_a_file_that_holds_no_id_is_told_of_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "instance_id"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{path}: holds .*, not a UUID; put the old one back"):
        instance.identity(tmp_path)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="instance_id: cannot be "):
        instance.identity(tmp_path / "file" / "pom")


def test_what_is_no_file_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "instance_id").mkdir()
    with pytest.raises(StoreError, match="instance_id: cannot be read: Is a directory"):
        instance.identity(tmp_path)

import threading
from pathlib import Path

import pytest

from pom_cli.registry import memory


def test_what_is_changed_is_there_the_next_time(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    memory.change(str(folder), lambda known: known.update(dates={"shop.com": 1}))
    assert memory.load(str(folder)) == {"dates": {"shop.com": 1}}
    assert [path.name for path in folder.iterdir()] == ["registry.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_damaged_file_counts_as_none_and_is_written_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "registry.json").write_bytes(content)
    assert memory.load(str(tmp_path)) == {}
    memory.change(str(tmp_path), lambda known: known.update(a=1))
    assert memory.load(str(tmp_path)) == {"a": 1}


def test_a_directory_that_is_not_there_is_harmless(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    memory.change(gone, lambda known: known.update(a=1))
    memory.change("", lambda known: known.update(a=1))
    assert memory.load(gone) == memory.load("") == {}


def test_threads_lose_nothing_of_one_another(tmp_path: Path) -> None:
    def add(number: int) -> None:
        memory.change(str(tmp_path), lambda known: memory.part(known, "dates").update({str(number): number}))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.load(str(tmp_path))["dates"]) == 20


def test_a_part_that_is_no_table_is_made_one() -> None:
    known: memory.Memory = {"waits": 7}
    assert memory.part(known, "waits") == {} and known["waits"] == {}

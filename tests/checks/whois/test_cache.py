import threading
from pathlib import Path

import pytest

from pom_cli.checks.whois import cache


def test_what_is_changed_is_there_the_next_time(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    cache.change(str(folder), lambda known: known.update(dates={"shop.com": 1}))
    assert cache.load(str(folder)) == {"dates": {"shop.com": 1}}
    assert [path.name for path in folder.iterdir()] == ["registry.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_damaged_file_counts_as_none_and_is_written_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "registry.json").write_bytes(content)
    assert cache.load(str(tmp_path)) == {}
    cache.change(str(tmp_path), lambda known: known.update(a=1))
    assert cache.load(str(tmp_path)) == {"a": 1}


def test_a_directory_that_is_not_there_is_harmless(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    cache.change(gone, lambda known: known.update(a=1))
    cache.change("", lambda known: known.update(a=1))
    assert cache.load(gone) == cache.load("") == {}


def test_threads_lose_nothing_of_one_another(tmp_path: Path) -> None:
    def add(number: int) -> None:
        cache.change(str(tmp_path), lambda known: cache.part(known, "dates").update({str(number): number}))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache.load(str(tmp_path))["dates"]) == 20


def test_a_part_that_is_no_table_is_made_one() -> None:
    known: cache.Memory = {"waits": 7}
    assert cache.part(known, "waits") == {} and known["waits"] == {}

"""Writing a file: what stays, what is replaced, what is written into, and what a killed writer leaves."""

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from numlstm import files, locks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX has these kinds of files")


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def alone(path):
    """Whether nothing else is in the file's folder."""
    return list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced(place):
    files.write(place, b"new")
    assert place.read_bytes() == b"new"
    assert alone(place)


def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(place):
    before = os.umask(0o027)
    try:
        for path, mode in ((place.with_name("new"), 0o640), (place, 0o600)):
            if path == place:
                place.chmod(mode)
            files.write(path, b"new")
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)


def test_a_link_stays_and_its_file_is_replaced(place, tmp_path):
    first, second, dangling = tmp_path / "first", tmp_path / "second", tmp_path / "dangling"
    first.symlink_to("second")
    second.symlink_to(place)
    dangling.symlink_to("made")
    files.write(first, b"new")
    files.write(dangling, b"made")
    assert place.read_bytes() == b"new"
    assert (tmp_path / "made").read_bytes() == b"made"
    assert all(path.is_symlink() for path in (first, second, dangling))


def test_a_fifo_is_written_into(tmp_path):
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    files.write(fifo, b"new" * 50_000)
    reader.join(timeout=10)
    assert got == [b"new" * 50_000]
    assert fifo.is_fifo()


def test_an_open_file_of_the_process_goes_on(place, tmp_path):
    """As /dev/stdout in `{ echo a; numlstm ... --out /dev/stdout; echo b; } > file`."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system has no /proc")
    link = tmp_path / "link"
    with place.open("ab", buffering=0) as file:
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        files.write(link, b" new")
        file.write(b" after")
    assert place.read_bytes() == b"old new after"
    assert link.is_symlink()


def test_a_full_device_is_named():
    if not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        files.write(Path("/dev/full"), b"new")
    assert caught.value.filename == "/dev/full"
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("failing", ["fsync", "replace", "fchmod"])
def test_a_failure_names_the_file_and_leaves_the_old_one(place, monkeypatch, failing):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write(place, b"new")
    assert caught.value.filename == str(place)
    assert place.read_bytes() == b"old"
    assert alone(place)


@pytest.mark.parametrize(
    ("refused", "sentence"), [("folder", "cannot be replaced safely"), ("file", "Permission denied")]
)
def test_a_write_protected_place_is_refused_before_and_after_the_work(place, monkeypatch, refused, sentence):
    protected = place.parent if refused == "folder" else place
    monkeypatch.setattr(os, "access", lambda path, mode: path != protected)
    for work in (files.check_place, lambda path: files.write(path, b"new")):
        with pytest.raises(PermissionError, match=sentence) as caught:
            work(place)
        assert caught.value.filename == str(place)
    assert place.read_bytes() == b"old"


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_kill_leaves_the_old_or_the_new_file_and_the_next_write_sweeps(place, call):
    """The process dies at each call; with "write" it is the first call after the lock."""
    name = "fchmod" if call == "write" else call
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from numlstm import files, locks\n"
        f"os.{name} = lambda *arguments, **options: os._exit(9)\n"
        f"files.write(Path({str(place)!r}), b'new')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert place.read_bytes() == b"old"
    assert alone(place) == (call == "open")
    files.write(place, b"newer")
    assert place.read_bytes() == b"newer"
    assert alone(place)


def test_the_file_of_a_living_writer_is_not_swept(place):
    new = place.with_name(".numlstm-0.tmp")
    handle = locks.create(new)
    files.write(place, b"new")
    assert new.exists()
    os.close(handle)
    files.write(place, b"new")
    assert alone(place)


def test_a_lock_belongs_to_one(tmp_path):
    path = tmp_path / "lock"
    handle = locks.create(path)
    assert locks.create(path) is None
    locks.remove(path, handle)
    assert not path.exists()
    again = locks.create(path)
    assert again is not None
    locks.remove(path, again)

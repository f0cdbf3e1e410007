"""Publishing a run folder: a kill at any call leaves the old or the new run, and two trainings never take one place."""

import itertools
import os
import shutil
import sys

import pytest

from numlstm import locks, moving
from numlstm.tasks import folder as folders
from numlstm.tasks.staging import staging, unfinished

FILES = frozenset({"config.json"})
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a kill is POSIX's")


def publish(out, text):
    with staging(out, "s", FILES, overwrite=True) as staged:
        folders.write_json(staged.folder / "config.json", {"run": text})
        return folders.publish(staged.folder, out, FILES, overwrite=True)


def run_at(out):
    return folders.read_config(out)["run"]


def killed(out, exchanging, when, after):
    """Publish a new run in a process that dies before or after one of its calls. Returns its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    calls = itertools.count(1)

    def killing(function):
        def call(*arguments, **options):
            last = next(calls) == when
            if last and not after:
                os._exit(9)
            try:
                return function(*arguments, **options)
            finally:
                if last:
                    os._exit(9)

        return call

    try:
        exchange = folders.exchange if exchanging else lambda first, second: False
        folders.exchange, folders.move = killing(exchange), killing(folders.move)
        shutil.rmtree, locks.remove, os.mkdir = map(killing, (shutil.rmtree, locks.remove, os.mkdir))
        publish(out, "new")
        os._exit(0)
    finally:
        os._exit(1)


def test_a_protected_run_is_refused_before_the_training(tmp_path, monkeypatch):
    out = publish(tmp_path / "R", "old")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != out and access(path, mode))
    with (
        pytest.raises(PermissionError, match="may not be removed, so it is not overwritten"),
        staging(out, "s", FILES, overwrite=True),
    ):
        pytest.fail("the training begins")
    assert [path.name for path in tmp_path.iterdir()] == ["R"]
    with staging(tmp_path / "S", "s", FILES) as staged:
        folders.write_json(staged.folder / "config.json", {"run": "new"})
        assert folders.publish(staged.folder, out, FILES, overwrite=True).name == "R-2"  # It was protected meanwhile.
    assert run_at(out) == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"R", "R-2"}


@pytest.mark.parametrize("exchanging", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_kill_leaves_the_old_or_the_new_run(tmp_path, exchanging, after):
    out, seen = tmp_path / "run", set()
    for when in range(1, 20):
        publish(out, "old")
        code = killed(out, exchanging, when, after)
        if exchanging:
            assert run_at(out) in ("old", "new")
        # The start of any training beside it sweeps. Without an exchange it also ends an interrupted replacement.
        with staging(tmp_path / "other", "s", FILES):
            pass
        seen.add(run_at(out))
        assert {path.name for path in out.iterdir()} <= {"config.json", folders.UNFINISHED}
        assert [each.name for each in unfinished(tmp_path)] == ["run"] * len(list(tmp_path.glob(".*")))
        if code == 0:
            break
        assert code == 9
    assert when > 3
    assert seen == {"old", "new"}


def test_a_second_training_of_the_same_place_is_refused_at_its_start(tmp_path):
    out = tmp_path / "run"
    with staging(out, "s", FILES) as staged:
        with pytest.raises(ValueError, match="another training is writing"), staging(out, "s", FILES):
            pass
        assert staged.folder.is_dir()
        publish(tmp_path / "other", "other")
        assert staged.folder.is_dir(), "the folder of a living training was swept"
        folders.write_json(staged.folder / "config.json", {"run": "first"})
        folders.publish(staged.folder, out, FILES)
    assert run_at(out) == "first"


def test_a_place_that_was_taken_meanwhile_does_not_cost_the_training(tmp_path):
    out = tmp_path / "run"
    with staging(out, "s", FILES) as staged:
        folders.write_json(staged.folder / "config.json", {"run": "trained"})
        out.mkdir()
        (out / "notes.txt").write_text("mine")
        place = folders.publish(staged.folder, out, FILES)
    assert place == tmp_path / "run-2"
    assert run_at(place) == "trained"
    assert (out / "notes.txt").read_text() == "mine"


def test_two_names_are_exchanged_in_one_call(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.write_text("second")
    if not moving.exchange(first, second):
        pytest.skip("the system has no such call")
    assert first.read_text() == "second"
    assert second.is_dir()
    with pytest.raises(OSError, match="No such file"):
        moving.exchange(first, tmp_path / "none")


def test_an_overwrite_that_cannot_exchange_restores_the_old_run(tmp_path, monkeypatch):
    out, replace = tmp_path / "run", os.replace
    publish(out, "old")

    def fail(source, place):
        if source.name.startswith(".numlstm-") and not source.name.endswith(("-old", ".tmp")) and place == out:
            raise PermissionError("refused")
        replace(source, place)

    monkeypatch.setattr(folders, "exchange", lambda first, second: False)
    monkeypatch.setattr(os, "replace", fail)
    assert publish(out, "new") == tmp_path / "run-2"
    assert (run_at(out), run_at(tmp_path / "run-2")) == ("old", "new")

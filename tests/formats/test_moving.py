"""Renaming where another process holds the file for a moment, as only Windows minds."""

from __future__ import annotations

import errno
import os
import sys
import time

import pytest

from numlstm.moving import move


@pytest.fixture
def held(monkeypatch):
    """Makes os.replace refuse some times; returns the pauses that were made meanwhile."""
    pauses, replace = [], os.replace

    def refuse(times, platform):
        def refusing(source, place):
            if len(pauses) < times:
                raise PermissionError(errno.EACCES, "Access is denied", str(source), None, str(place))
            replace(source, place)

        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(os, "replace", refusing)
        monkeypatch.setattr(time, "sleep", pauses.append)
        return pauses

    return refuse


@pytest.fixture
def both(tmp_path):
    """A new file and an old one."""
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")
    return new, old


def test_a_file_that_is_held_for_a_moment_is_replaced(both, held):
    new, old = both
    pauses = held(3, "win32")
    move(new, old)
    assert len(pauses) == 3
    assert old.read_text() == "new"
    assert not new.exists()


def test_a_file_that_stays_held_is_named_in_a_sentence(both, held):
    new, old = both
    pauses = held(100, "win32")
    with pytest.raises(PermissionError, match="another process has it open") as caught:
        move(new, old)
    assert caught.value.filename == str(old)
    assert 1 <= sum(pauses) <= 3
    assert (new.read_text(), old.read_text()) == ("new", "old")


def test_other_systems_mean_what_they_say(both, held):
    new, old = both
    pauses = held(100, "linux")
    with pytest.raises(PermissionError, match="Access is denied"):
        move(new, old)
    assert pauses == []

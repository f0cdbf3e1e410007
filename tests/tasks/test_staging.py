"""Trainings that are interrupted and go on: the hidden folders, the data, and the list of runs."""

import json

import numpy as np
import pytest

from numlstm import saved
from numlstm.data import Series, complete, sine
from numlstm.formats import tensors
from numlstm.tasks.folder import CHECKPOINT, publish, write_json
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.listing import list_runs
from numlstm.tasks.staging import resuming, staging, unfinished

FILES = run.FILES
SMALL = Settings(window=3, units=2, epochs=2)


def leave(out, name="s", checkpoint=True, **options):
    """Begin a training, and leave it as a kill does: the folder stays, and nobody locks it."""
    with staging(out, name, FILES, **options) as staged:
        run.prepare(staged.folder, sine(60), SMALL)
        if checkpoint:
            (staged.folder / CHECKPOINT).write_bytes(b"state")
    return staged


def test_the_bits_of_the_data_come_back(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 2)) * 10.0 ** rng.integers(-30, 30, (300, 2))
    values[[5, 9], [0, 1]] = np.nan, -0.0
    series = complete(Series("s", "day", np.arange("2020-01-01", "2020-10-27", dtype="M8[D]"), ("a", "b"), values,
                             np.arange(1, 301)), "interpolate")  # fmt: skip
    run.prepare(tmp_path, series, SMALL)
    again, settings = run.resume(tmp_path)
    assert again.values.tobytes() == series.values.tobytes()
    assert (again.name, again.axis_name, again.columns, settings) == ("s", "day", ("a", "b"), SMALL)


def test_a_training_with_a_checkpoint_stays_and_goes_on_in_its_folder(tmp_path):
    out = tmp_path / "R"
    staged = leave(out)
    assert [(each.name, each.running) for each in unfinished(tmp_path)] == [("R", False)]
    with pytest.raises(ValueError, match=r"train --resume .*R` goes on with it, and --overwrite begins anew"):
        leave(out)
    with staging(tmp_path / "other", "s", FILES):
        pass
    with resuming(out) as again:
        assert (again.folder, again.source, again.overwrite) == (staged.folder, staged.folder, False)
        assert (again.folder / CHECKPOINT).read_bytes() == b"state"
        with pytest.raises(ValueError, match="is still being trained"), resuming(out):
            pass
        assert [each.running for each in unfinished(tmp_path)] == [True]
        publish(again.folder, again.place, FILES)
    assert {path.name for path in tmp_path.rglob("*")} == {"R", "config.json", "data.csv"}


def test_overwriting_begins_anew(tmp_path):
    leave(tmp_path / "R")
    with staging(tmp_path / "R", "s", FILES, overwrite=True) as staged:
        assert not (staged.folder / CHECKPOINT).exists()
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_learned_nothing_leaves_nothing(tmp_path):
    leave(tmp_path / "R", checkpoint=False)
    assert list(tmp_path.iterdir()) == []


def test_a_numbered_place_is_reserved_at_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(leave(None).place) == "runs/s"
    with staging(None, "s", FILES) as second, staging(None, "s", FILES) as third:
        assert [str(each.place) for each in (second, third)] == ["runs/s-2", "runs/s-3"]


def interrupted_run(out, checkpoint=True, interrupted=True):
    out.mkdir()
    run.prepare(out, sine(60), SMALL)
    write_json(out / "metrics.json", {"interrupted": interrupted})
    (out / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,0.25\n2,0.4,0.75\n")
    (out / "model.safetensors").write_bytes(b"model")
    if checkpoint:
        (out / CHECKPOINT).write_bytes(b"state")


def test_an_interrupted_run_goes_on_beside_itself_and_is_replaced(tmp_path):
    out = tmp_path / "R"
    interrupted_run(out)
    with resuming(out) as staged:
        assert (staged.source, staged.overwrite) == (out, True)
        run.prepare(staged.folder, *run.resume(staged.source))
        assert publish(staged.folder, staged.place, FILES, staged.overwrite) == out
    assert {path.name for path in tmp_path.rglob("*")} == {"R", "config.json", "data.csv"}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"interrupted": False}, "R is finished: there is nothing to resume"),
        ({"checkpoint": False}, "has no checkpoint.safetensors to go on from"),
        (None, "there is no run .*R, and no interrupted training of it"),
    ],
)
def test_what_cannot_be_resumed_is_refused(tmp_path, state, sentence):
    if state is not None:
        interrupted_run(tmp_path / "R", **state)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=sentence), resuming(tmp_path / "R"):
        pass
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "[", '{"place": 3}', '{"place": "R", "overwrite": 1}', "[" * 100_000])
def test_a_damaged_note_costs_nothing(tmp_path, text):
    out = tmp_path / "R"
    note = leave(out).folder / "unfinished.json"
    note.write_text(text)
    with pytest.raises(ValueError, match=r"--resume .* goes on with it"):
        leave(out)
    with resuming(out) as again:
        assert (again.overwrite, (again.folder / CHECKPOINT).read_bytes()) == (False, b"state")
    assert [each.name for each in unfinished(tmp_path)] == ["R"]


def test_what_took_the_place_of_a_training_is_not_replaced(tmp_path):
    leave(tmp_path / "R")
    (tmp_path / "R").mkdir()
    sentence = r"R exists, and its interrupted training does not replace it: move .*R away"
    with pytest.raises(ValueError, match=sentence), resuming(tmp_path / "R"):
        pass
    (tmp_path / "R").rmdir()
    with resuming(tmp_path / "R") as again:
        assert again.resumable


@pytest.mark.parametrize(
    ("losses", "best"),
    [({"loss": [3.0, 2.0]}, 2.0), ({}, None), ({"loss": [1.0, 1.0], "val_loss": [0.5, float("nan")]}, 0.5)],
)
def test_the_epochs_of_an_unfinished_training_are_listed(tmp_path, losses, best):
    staged = leave(tmp_path / "R")
    state = {"history": {"epoch": list(range(len(losses.get("loss", [])))), "history": losses}, "weights": [np.ones(3)]}
    tensors.write(staged.folder / CHECKPOINT, saved.describe_training(state))
    (run,) = list_runs(tmp_path)
    count = len(state["history"]["epoch"])
    assert (run.name, run.state, run.epochs, run.best) == ("R", "interrupted", (count, count), best)


def test_the_epochs_are_those_of_the_models_for_use(tmp_path):
    interrupted_run(tmp_path / "R", checkpoint=False, interrupted=False)
    rows = [(1, 5, 0.1), (2, 7, 0.2), (3, 4, 0.4), (4, 3, 0.3)]  # The number of each model, its epochs and its losses.
    lines = [f"{model},{epoch},9,{loss}" for model, count, loss in rows for epoch in range(count)]
    (tmp_path / "R" / "history.csv").write_text("\n".join(["model,epoch,loss,val_loss", *lines]) + "\n")
    for told, expected in (
        ({"members": 2, "refitted": True}, ((3, 4), 0.3)), ({"members": 2, "refitted": False}, ((5, 7), 0.1)),
        ({"members": 4, "refitted": False}, ((3, 7), 0.1)), ({"members": "x"}, ((3, 7), 0.1)),
    ):  # fmt: skip
        (tmp_path / "R" / "metrics.json").write_text(json.dumps(told))
        (run,) = list_runs(tmp_path)
        assert (run.epochs, run.best) == expected


def test_all_states_are_listed_and_a_broken_run_spoils_nothing(tmp_path):
    interrupted_run(tmp_path / "a", checkpoint=False, interrupted=False)
    interrupted_run(tmp_path / "b")
    interrupted_run(tmp_path / "c")
    (tmp_path / "c" / "history.csv").write_bytes(b"\xff\x00")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "config.json").write_text("[")
    (tmp_path / "notes").mkdir()
    leave(tmp_path / "e")
    staged = leave(tmp_path / "f")
    (staged.folder / "unfinished.json").write_text(json.dumps({"place": 3}))
    with staging(tmp_path / "g", "s", FILES) as running:
        run.prepare(running.folder, sine(60), SMALL)
        found = {each.name: (each.state, each.epochs, each.best, each.resumable) for each in list_runs(tmp_path)}
    assert found == {
        "a": ("finished", (2, 2), 0.25, False),
        "b": ("interrupted", (2, 2), 0.25, True),
        "c": ("broken", None, None, False),
        "d": ("broken", None, None, False),
        "e": ("interrupted", None, None, True),
        staged.folder.name: ("broken", None, None, False),
        "g": ("running", None, None, False),
    }


def test_what_a_training_could_not_remove_is_not_in_the_way(tmp_path):
    """The old run lies in the hidden folder after an exchange. Its training has ended, so it has no lock file."""
    with staging(tmp_path / "R", "s", FILES) as staged:
        folder = staged.folder
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with staging(tmp_path / "R", "s", FILES) as again:
        assert again.folder == folder
        assert not (folder / "config.json").exists()
    assert not list(tmp_path.iterdir())

"""`numlstm train` that is killed or interrupted, `--resume`, and `numlstm runs`, as a user runs them."""

import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from numlstm import optimizers, saved
from numlstm.cli import main
from numlstm.formats import tensors

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the signals are POSIX's")
TINY = ("train", "--samples", "60", "--units", "4", "--no-plot", "--quiet", "--checkpoint-every", "1")
RESULTS = {"config.json", "data.csv", "history.csv", "metrics.json", "model.safetensors"}


def numlstm(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)), prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def begun(folder, out, epochs):
    """Start a training in a process of its own, and wait for its first checkpoint."""
    command = [sys.executable, "-m", "numlstm", *TINY, "--epochs", str(epochs), "--out", out]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob(".numlstm-*/checkpoint.safetensors")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    return process


def names(folder):
    return {path.name for path in folder.iterdir()}


def tensors_of(run):
    """The tensors of a model. The numbers of layers in the names count the layers of a process."""
    found = load_file(run / "model.safetensors")
    return {re.sub(r"(_\d+)?/", "/", name): tensor for name, tensor in found.items()}


def assert_same(ours, theirs):
    assert (ours / "history.csv").read_bytes() == (theirs / "history.csv").read_bytes()
    tensors, expected = (tensors_of(run) for run in (ours, theirs))
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, expected[name])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 30 epochs that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    numlstm(*TINY, "--epochs", 30, "--out", folder)
    assert names(folder) == RESULTS
    return folder


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_costs_nothing(tmp_path, whole, seed):
    with begun(tmp_path, "R", 30) as training:
        time.sleep(random.Random(seed).uniform(0, 0.3))
        training.kill()
    if names(tmp_path) != {"R"}:
        assert "R    interrupted" in numlstm("runs", tmp_path)
        assert "--resume" in numlstm(*TINY, "--out", tmp_path / "R", code=2)
        numlstm("train", "--resume", tmp_path / "R", "--quiet", "--no-plot")
    assert names(tmp_path) == {"R"}
    assert names(tmp_path / "R") == RESULTS
    assert_same(tmp_path / "R", whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_a_usable_run_that_goes_on(tmp_path, number, code):
    with begun(tmp_path, "R", 200) as training:
        training.send_signal(number)
        _, error = training.communicate(timeout=60)
    assert training.returncode == code
    assert error == "Interrupted: the run holds what was learned until then; `numlstm train --resume R` goes on.\n"
    assert names(tmp_path) == {"R"}
    assert names(tmp_path / "R") == RESULTS | {"checkpoint.safetensors"}
    predicted = CliRunner().invoke(main, ["predict", str(tmp_path / "R")], prog_name="numlstm")
    note = (
        f"Note: the training of {tmp_path / 'R'} was interrupted: `numlstm train --resume {tmp_path / 'R'}` finishes it"
    )
    assert (predicted.exit_code, predicted.stderr) == (0, f"{note}\n")
    assert "R    interrupted" in numlstm("runs", tmp_path)
    numlstm("train", "--resume", tmp_path / "R", "--quiet", "--no-plot")
    numlstm(*TINY, "--epochs", 200, "--out", tmp_path / "whole")
    assert names(tmp_path / "R") == RESULTS
    assert_same(tmp_path / "R", tmp_path / "whole")
    assert "nothing to resume" in numlstm("train", "--resume", tmp_path / "R", code=2)


def test_a_list_shows_how_far_a_training_came(tmp_path):
    with begun(tmp_path, "R", 1_000_000) as training:
        for _ in range(500):
            if found := re.search(r"R +running +([1-9]\d*) +\d\.\d+ ", numlstm("runs", tmp_path)):
                break
            time.sleep(0.01)
        training.kill()
    assert int(re.search(r"R +interrupted +(\d+) +\d", numlstm("runs", tmp_path))[1]) >= int(found[1])


@pytest.mark.parametrize("epoch", [201, 10**9])
def test_a_checkpoint_beyond_the_last_epoch_is_refused(interrupted, epoch):
    path = interrupted / "checkpoint.safetensors"
    state = saved.training_state(tensors.read(path), path)
    tensors.write(path, saved.describe_training(state | {"epoch": epoch}))
    sentence = numlstm("train", "--resume", interrupted, "--quiet", code=2)
    assert "but the training ends with 200; `numlstm train` with --overwrite" in sentence
    assert "R    interrupted" in numlstm("runs", interrupted.parent)


@pytest.fixture
def interrupted(tmp_path):
    """A run that a signal has interrupted, in an otherwise empty folder."""
    with begun(tmp_path, "R", 200) as training:
        training.send_signal(signal.SIGINT)
        training.communicate(timeout=60)
    return tmp_path / "R"


def test_a_refused_resume_leaves_the_run_as_it_was(interrupted):
    checkpoint, data = interrupted / "checkpoint.safetensors", interrupted / "data.csv"
    kept = checkpoint.read_bytes(), data.read_text()
    checkpoint.write_bytes(kept[0][:-5])
    sentence = numlstm("train", "--resume", interrupted, "--quiet", code=2)
    assert f"{interrupted} cannot be resumed: its checkpoint.safetensors is not a model file" in sentence
    assert sentence.endswith("; `numlstm train` with --overwrite begins anew\n")
    checkpoint.write_bytes(kept[0])
    for lines in ([*kept[1].splitlines()[:-1], "59,0.5"], ["row,sine", *(f"{row}," for row in range(60))]):
        data.write_text("\n".join(lines) + "\n")
        numlstm("train", "--resume", interrupted, "--quiet", code=2)
    data.write_text(kept[1])
    assert checkpoint.read_bytes() == kept[0]
    assert names(interrupted.parent) == {"R"}
    numlstm("train", "--resume", interrupted, "--quiet", "--no-plot")
    assert names(interrupted) == RESULTS


def test_the_working_folder_is_resumed(interrupted, monkeypatch):
    monkeypatch.chdir(interrupted)
    numlstm("train", "--resume", ".", "--quiet")
    assert names(interrupted) == RESULTS | {"forecast.png", "report.html"}


def test_what_trains_now_is_not_resumed(tmp_path):
    with begun(tmp_path, "R", 1_000_000) as training:
        assert "still being trained" in numlstm("train", "--resume", tmp_path / "R", code=2)
        assert "R    running" in numlstm("runs", tmp_path)
        training.kill()


def test_resuming_takes_no_other_options(tmp_path):
    sentence = numlstm("train", "a.csv", "--units", 4, "--out", "b", "--resume", tmp_path / "R", code=2)
    assert "give it without a.csv, --units, --out" in sentence


def test_a_diverging_training_keeps_what_it_learned(tmp_path, monkeypatch):
    begin, steps, out = optimizers.Adam.begin, [], tmp_path / "R"

    def spoil(self):
        steps.append(None)
        if len(steps) > 10:
            self.learning_rate = 1e30
        begin(self)

    monkeypatch.setattr(optimizers.Adam, "begin", spoil)
    with np.errstate(all="ignore"):
        text = numlstm(*TINY, "--scaling", "none", "--epochs", 60, "--out", out, code=2)
    assert "is no longer a finite number in epoch" in text
    assert text.endswith("the run holds what was learned in the epochs before\n")
    assert names(out) == RESULTS
    assert "R    finished" in numlstm("runs", tmp_path)
    numlstm("predict", out)


def test_a_list_of_a_folder_that_is_not_there(tmp_path):
    assert "there is no folder" in numlstm("runs", tmp_path / "none", code=2)


def test_ctrl_c_while_a_resume_begins_says_how_to_go_on(tmp_path, monkeypatch):
    with begun(tmp_path, "R", 200) as training:
        training.send_signal(signal.SIGINT)
        training.communicate(timeout=60)

    def press(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("numlstm.tasks.task.resume", press)
    output = numlstm("train", "--resume", tmp_path / "R", "--quiet", "--no-plot", code=130)
    assert output.startswith(f"`numlstm train --resume {tmp_path / 'R'}` goes on with this training.\n")
    assert "Interrupted." in output
    monkeypatch.undo()
    numlstm("train", "--resume", tmp_path / "R", "--quiet", "--no-plot")

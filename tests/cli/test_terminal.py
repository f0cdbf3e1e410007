"""A terminal that fails: a training goes on, and a command whose product is its output says so."""

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks.forecast import report

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shell is POSIX's")
TRAIN = "train --samples 80 --epochs 2 --units 4 --no-plot"
WHOLE = {"config.json", "data.csv", "history.csv", "metrics.json", "model.safetensors"}


def shell(line, folder, **environment):
    """Run a shell's line, in which NUMLSTM is the command: exit code, output, and errors."""
    command = f"set -o pipefail; {line}".replace("NUMLSTM", f"{sys.executable} -m numlstm")
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "redirected", ["| head -0", "| head -1", ">/dev/full", ">&-", ">&- 2>&-", ">/dev/full 2>/dev/full", "2>&-"]
)
def test_a_training_needs_no_terminal(tmp_path, redirected):
    code, _, error = shell(f"NUMLSTM {TRAIN} --out run {redirected}", tmp_path)
    assert (code, error) == (0, "")
    assert names(tmp_path) == {"run"}
    assert names(tmp_path / "run") == WHOLE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    assert CliRunner().invoke(main, [*TRAIN.split(), "--out", str(folder)]).exit_code == 0
    return folder


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(("redirected", "sentence"), [(">/dev/full", "No space left on device"), (">&-", "is closed")])
def test_a_product_that_cannot_be_written_is_a_failure(run, command, redirected, sentence):
    code, _, error = shell(f"NUMLSTM {command} run {redirected}", run.parent)
    assert code == 2
    assert error.startswith("Error: standard output: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_a_help_that_cannot_be_written_is_a_failure_with_a_name(tmp_path):
    for command in ("--help", "--version", "train --help"):
        line = shell(f"NUMLSTM {command} >/dev/full", tmp_path)
        assert line == (2, "", "Error: standard output: No space left on device\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = "/proc/self/mem"  # Its first byte is no memory.
    assert shell(f"NUMLSTM train {path} --out run", tmp_path) == (2, "", f"Error: {path}: Input/output error\n")
    assert not names(tmp_path)


@pytest.mark.parametrize("start", ["-m numlstm", "numlstm"])
@pytest.mark.parametrize("module", ["numpy", "numlstm.layers", "numlstm.cli.train"])
def test_ctrl_c_in_the_imports_ends_in_one_line(tmp_path, start, module):
    (tmp_path / "sitecustomize.py").write_text(f"""
import os, signal, sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder)
""")
    (tmp_path / "numlstm").write_text("from numlstm.cli import main\nmain()\n")  # As the installation makes it.
    environment = {"PYTHONPATH": str(tmp_path)}
    line = f"exec {sys.executable} {start} --help"
    assert shell(line, tmp_path, **environment) == (130, "", "Interrupted.\n")
    (tmp_path / "script.py").write_text("import numlstm.cli\n")
    code, _, error = shell(f"exec {sys.executable} script.py", tmp_path, **environment)
    assert code != 130 or error.endswith("KeyboardInterrupt\n")


def test_ctrl_c_of_the_command_is_python_s_own_again(tmp_path):
    script = "import signal, sys; sys.argv = ['numlstm', '--version']; from numlstm.cli import main\n"
    script += "try: main()\nexcept SystemExit: print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    (tmp_path / "script.py").write_text(script)
    assert shell(f"{sys.executable} script.py", tmp_path)[1].endswith("\nTrue\n")


def test_a_reader_that_has_had_enough_hears_nothing(run):
    assert shell("NUMLSTM predict run --steps 20000 | head -1", run.parent) == (1, "x,predicted\n", "")
    assert shell("NUMLSTM --help | head -0", run.parent)[2] == ""


def test_an_error_without_a_terminal_keeps_its_code(tmp_path):
    for redirected in (">&- 2>&-", "2>/dev/full"):
        assert shell(f"NUMLSTM predict none {redirected}", tmp_path)[0] == 2


def test_predictions_go_into_a_link_a_device_and_standard_output(run, tmp_path):
    (tmp_path / "link").symlink_to("real")
    _, expected, _ = shell("NUMLSTM predict run --steps 2", run.parent)
    assert shell(f"NUMLSTM predict run --steps 2 --out {tmp_path / 'link'}", run.parent) == (0, "", "")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == expected
    line = f"{{ echo a; NUMLSTM predict run --steps 2 --out /dev/stdout; echo b; }} > {tmp_path / 'all'}"
    assert shell(line, run.parent) == (0, "", "")
    assert (tmp_path / "all").read_text() == f"a\n{expected}b\n"
    code, _, error = shell("NUMLSTM predict run --steps 2 --out /dev/full", run.parent)
    assert (code, error) == (2, "Error: /dev/full: No space left on device\n")


def test_a_notebook_s_backend_and_latex_do_not_matter(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    for number, backend in enumerate(("nonsense", "module://matplotlib_inline.backend_inline")):
        line = f"NUMLSTM {TRAIN.replace('--no-plot', '--plot')} --quiet --out {number}"
        assert shell(line, tmp_path, MPLBACKEND=backend, MPLCONFIGDIR=str(tmp_path)) == (0, "", "")
        assert names(tmp_path / str(number)) == WHOLE | {"forecast.png", "report.html"}


def test_a_picture_that_fails_does_not_cost_the_run(tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("latex was not\nfound")

    out = tmp_path / "run"
    monkeypatch.setattr(report, "draw", fail)
    result = CliRunner().invoke(main, [*TRAIN.replace("--no-plot", "--quiet").split(), "--out", str(out)])
    assert result.exit_code == 2
    assert result.output == f"Error: {out} has no picture: latex was not found; `numlstm plot {out}` draws it\n"
    assert names(out) == WHOLE | {"report.html"}
    monkeypatch.undo()
    assert CliRunner().invoke(main, ["plot", str(out)]).exit_code == 0
    assert names(out) == WHOLE | {"forecast.png", "report.html"}


@pytest.mark.filterwarnings("error")
def test_errors_that_cannot_be_measured_do_not_cost_the_run(tmp_path):
    data, out = tmp_path / "late.csv", tmp_path / "run"
    data.write_text("t,v\n" + "".join(f"{row},{row % 7 if row < 290 else 1e200}\n" for row in range(300)))
    arguments = ["train", data, "--target", "v", "--epochs", 1, "--window", 6, "--out", out, "--quiet"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 2
    assert "no errors on the held-out part, and no picture: the errors are too large" in result.output
    assert names(out) == WHOLE | {"report.html"}
    assert "rmse" not in json.loads((out / "metrics.json").read_text())
    assert CliRunner().invoke(main, ["predict", str(out), "--steps", "2"]).exit_code == 0


def on_a_terminal(command, folder):
    """The lines that a command writes to a terminal."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        parts = []
        with suppress(OSError):  # The end of a terminal is an error on Linux.
            while part := os.read(ours, 4096):
                parts.append(part)
    os.close(ours)
    assert process.returncode == 0
    return b"".join(parts).decode().split("\r\n")


def test_the_epochs_of_several_models_are_told_in_a_line_that_disappears(tmp_path):
    (tmp_path / "s.csv").write_text("y\n" + "\n".join(str(10 + step % 7) for step in range(60)) + "\n")
    options = "--ensemble 2 --epochs 1000 --patience 0 --units 2 --window 3 --no-refit --no-plot --out run"
    lines = on_a_terminal([sys.executable, "-m", "numlstm", "train", "s.csv", *options.split()], tmp_path)
    told = [line.split("\r\x1b[K") for line in lines if line.startswith("\r")]
    assert [texts[-1].partition(":")[0] for texts in told] == ["model 1/2", "model 2/2"]
    for _, *moving, last in told:
        title, _, result = last.partition(":")
        assert result.startswith(" 1000 epochs, best val_loss ")
        assert all(text.startswith(f"{title}: epoch ") for text in moving if text)
        assert any(moving)

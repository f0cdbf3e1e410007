"""Data files and run folders that are damaged, endless, or made to hurt."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import warnings
import zipfile

import pytest

from numlstm import checks
from numlstm.data import ReadOptions, complete, read_csv
from numlstm.data.datasets import sine
from numlstm.tasks import task
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.settings import REAL, Settings
from numlstm.tasks.forecast.train import Split, train

TABLE = "y\n" + "".join(f"{step % 7}.5\n" for step in range(120))


COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_table_that_is_cut_or_none_is_refused(tmp_path, suffix):
    path = tmp_path / f"t.csv.{suffix}"
    path.write_bytes(COMPRESS[suffix](TABLE.encode()))
    assert len(read_csv(path)) == 120
    for content in (path.read_bytes()[:-20], path.read_bytes()[:20], TABLE.encode(), b""):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{path} (is damaged|is no CSV table)"):
            read_csv(path)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_an_archive_that_is_none_is_refused(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    path.write_text(TABLE)
    with pytest.raises(ValueError, match=rf"^{path} is damaged, or not compressed as its name says"):
        read_csv(path)


def test_an_archive_of_two_files_or_with_a_password_is_refused(tmp_path):
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", TABLE)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # The bit for encryption.
        content[content.index(mark) + offset] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be decompressed.*password"):
        read_csv(tmp_path / "locked.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", TABLE)
    with pytest.raises(ValueError, match="must hold exactly one file: unpack it"):
        read_csv(path)


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(OSError, match="it is a pipe, expected a file"):
        read_csv(tmp_path / "pipe.csv")
    for device in ("/dev/zero", "/dev/full"):
        with pytest.raises(OSError, match="it is a device, expected a file"):
            read_csv(device)


def test_a_table_beyond_the_memory_is_not_read(tmp_path):
    path = tmp_path / "sparse.csv"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(MemoryError, match=r"sparse\.csv would need 4096\.0 GB"):
        read_csv(path)


@pytest.mark.parametrize("suffix", [*COMPRESS, "zip"])
@pytest.mark.parametrize("text", [b"y\n" + b"1\n" * 2_000_000, b"\0" * 4_000_000], ids=["rows", "a long field"])
def test_a_small_file_that_is_decompressed_beyond_the_memory_is_refused(tmp_path, monkeypatch, suffix, text):
    monkeypatch.setattr(checks, "_memory", lambda: 1 << 20)
    path = tmp_path / f"t.csv.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("t.csv", text)
    else:
        path.write_bytes(COMPRESS[suffix](text))
    with pytest.raises(MemoryError, match=rf"^reading {path} would need 1\.\d MB, but this machine has 1\.0 MB$"):
        read_csv(path)


def test_a_table_of_many_columns_is_refused_shortly(tmp_path):
    def refused(columns):
        path = tmp_path / "wide.csv"
        lines = [",".join(f"c{number}" for number in range(columns)), *[",".join(["ab"] * columns)] * 3]
        path.write_text("\n".join(lines))
        with pytest.raises(ValueError, match=path.name) as caught:
            read_csv(path)
        assert len(str(caught.value)) < 300 + len(str(path))
        return str(caught.value)

    assert "has 50000 columns, but at most 4096 are read" in refused(50_000)
    assert "'c0', 'c1'" in refused(400)


def test_the_name_of_a_series_can_be_printed(tmp_path):
    path = tmp_path / "a\x1b[2Jb.csv"
    path.write_text(TABLE)
    assert read_csv(path).name == "a\\x1b[2Jb"


# Run folders.


@pytest.fixture(scope="module")
def trained():
    series = sine(60)
    return series, train(series, Settings(window=3, units=2, epochs=1, device="cpu"), verbose=0)


@pytest.fixture
def folder(trained, tmp_path):
    run.save(tmp_path, *trained)
    return tmp_path


VALUES = [None, True, -1, 0.5, 1e400, 10**400, "", "x\x1b[2J", "x" * 100_000, [], [[]], [None], {}, {"a": []}]


def paths_of(config, before=()):
    for key, value in config.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from paths_of(value, (*before, key))


def test_any_value_at_any_place_of_a_config_loads_or_is_refused(folder):
    """In one short sentence, and what loads forecasts."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    loaded, messages = 0, []
    for place in paths_of(config):
        for value in VALUES:
            changed = json.loads(json.dumps(config))
            *above, last = place
            where = changed
            for key in above:
                where = where[key]
            where[last] = value
            path.write_text(json.dumps(changed))
            try:
                found, _ = task.load(folder)
            except ValueError as error:
                messages.append(str(error))
            else:
                loaded += 1
                assert found.evaluate(None)["rmse"] > 0, (place, value)
    assert all(message.isprintable() for message in messages)
    assert max(map(len, messages)) < 300 + len(str(path))
    assert loaded > len(VALUES)  # The versions are only told.


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "\ud800", "9" * 10_000, " " * (1 << 24)], ids=range(5)
)
def test_a_config_that_is_no_json_is_refused(folder, text):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        task.load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "data.csv"])
def test_a_run_folder_with_a_pipe_is_refused(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(OSError, match="it is a pipe, expected a file"):
        task.load(folder)


# Numbers.


@pytest.mark.parametrize("layers", [1001, 10**9])
def test_more_layers_than_anybody_has_are_refused(layers):
    with pytest.raises(ValueError, match=f"layers must be a whole number from 1 to 1000, not {layers}"):
        Settings(layers=layers)


@pytest.mark.parametrize("settings", [{"units": 10**9}, {"layers": 1000, "units": 50_000}, {"units": 10**30}])
def test_a_model_beyond_the_memory_is_refused_before_it_is_made(settings):
    with pytest.raises(MemoryError, match="but this machine has"):
        train(sine(200), Settings(**settings), verbose=0)


@pytest.mark.parametrize("samples", [2**62, 2**63 - 1, 10**30])
def test_a_sine_beyond_the_memory_is_refused(samples):
    with pytest.raises(MemoryError, match=r"a sine of \d+ points would need"):
        sine(samples)


def test_a_forecast_beyond_the_memory_is_refused(folder):
    with pytest.raises(MemoryError, match=r"a forecast of \d+ steps would need"):
        run.load(folder).predict(None, 10**18)


def test_a_split_is_of_whole_numbers_in_order():
    assert Split(1, 1, 2).steps == Split(1, 2, 2).test == 2  # Nothing is held out.
    for parts in ((0, 1, 2), (2, 1, 3), (1, 3, 2)):
        with pytest.raises(ValueError, match="split"):
            Split(*parts)
    with pytest.raises(TypeError, match="test of the split must be an integer"):
        Split(1, 1.5, 2)


def test_settings_of_another_type_are_refused_by_name():
    for name, value in (("learning_rate", "x"), ("clip_norm", []), ("test_fraction", None)):
        with pytest.raises(TypeError, match=name.replace("_", " ")):
            Settings(**{name: value})
    assert REAL.layers == 1


@pytest.mark.parametrize("settings", [{}, {"rule": "persistence"}, {"rule": "seasonal_change", "season": 7}])
def test_values_too_large_to_be_scaled_are_refused_without_a_warning(tmp_path, settings):
    path = tmp_path / "t.csv"
    path.write_text("y\n" + "1.7e308\n-1.7e308\n0\n" * 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="the values are too large to be scaled"):
            train(read_csv(path), Settings(units=1, epochs=1, **settings), verbose=0)


def test_the_mean_of_values_too_large_to_be_summed_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("date,y\n" + "2022-01-01,1.7e308\n" * 2 + "2022-01-02,1\n2022-01-03,2\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"row 1 \(date 2022-01-01\), column 'y' is infinite"):
            complete(read_csv(path, options=ReadOptions(duplicates="mean")), "refuse")

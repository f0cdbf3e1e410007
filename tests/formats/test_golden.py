"""Files that earlier versions wrote: they load, and give what they gave then."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import numlstm
from numlstm.tasks.task import load

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_model_of_november_2026_predicts_and_trains_on():
    told = json.loads((GOLDEN / "model.json").read_text())
    x, y = np.array(told["x"], "float32"), np.array(told["y"])
    model = numlstm.load_model(GOLDEN / "model.safetensors")
    np.testing.assert_allclose(model.predict(x), told["predicted"], atol=1e-6)
    history = model.fit(x, y, epochs=3, initial_epoch=2, batch_size=4, shuffle=False, verbose=0)
    assert history.history["loss"] == pytest.approx(told["next_loss"], abs=1e-6)


def test_a_training_of_november_2026_is_resumed():
    told = json.loads((GOLDEN / "training.json").read_text())
    x, y = np.array(told["x"], "float32"), np.array(told["y"])
    model = numlstm.Sequential([numlstm.layers.LSTM(2, dropout=0.2), numlstm.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    history = model.fit(
        x,
        y,
        batch_size=3,
        epochs=3,
        verbose=0,
        callbacks=numlstm.callbacks.LambdaCallback(),
        resume=GOLDEN / "training.safetensors",
    )
    assert history.history["loss"] == pytest.approx(told["loss"], abs=1e-6)
    for weight, expected in zip(model.get_weights(), told["weights"], strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_a_run_of_november_2026_is_worth_what_it_was():
    run, picture = load(GOLDEN / "run")
    told = json.loads((GOLDEN / "run" / "metrics.json").read_text())
    assert picture == GOLDEN / "run" / "forecast.png"
    assert run.evaluate(None)["rmse"] == pytest.approx(told["rmse"], rel=1e-6)
    assert run.batch_size == 32
    table = run.predict(None, 2)
    assert table.header == ("x", "predicted")
    assert len(list(table.rows)) == 2


def test_a_forecast_by_a_rule_and_an_ensemble_of_november_2026_is_worth_what_it_was():
    """The second format of a run's `config.json`."""
    folder = GOLDEN / "forecast"
    assert json.loads((folder / "config.json").read_text())["format"] == 2
    run, _ = load(folder)
    told = json.loads((folder / "metrics.json").read_text())
    found = run.evaluate(None)
    for name in ("rmse", "mae", "seasonal_change_rmse", "coverage", "rmse_by_step"):
        assert found[name] == pytest.approx(told[name], rel=1e-5)
    with (folder / "predicted.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    table = run.predict(None, 2)
    assert ["axis", *table.header[1:]] == header  # Since then, the axis has its own name.
    for row, expected in zip(table.rows, rows, strict=True):
        assert str(row[0]) == expected[0]
        assert [float(number) for number in row[1:]] == pytest.approx([float(text) for text in expected[1:]], rel=1e-5)

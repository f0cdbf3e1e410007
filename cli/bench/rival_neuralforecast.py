"""The LSTM of neuralforecast: a script that `numlstm bench forecast` runs in its environment.

Its input and output are those of `rival_statsforecast`.
"""

import json
import logging
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.models import LSTM


def forecast(question: dict) -> tuple[np.ndarray, float]:
    """Fit with the library's defaults, but 200 steps as in its own example, and forecast over the held-out part.

    Returns:
        [M, horizon], and the seconds of the fit with those of the forecasts.
    """
    values, first, horizon = question["values"], question["first"], question["horizon"]
    frame = pd.DataFrame({"unique_id": "it", "ds": np.arange(len(values)), "y": values})
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    model = LSTM(
        h=horizon, input_size=question["window"], max_steps=200, enable_checkpointing=False, alias="it", **quiet
    )
    begin = time.perf_counter()
    # It fits once, to the values before the first forecast.
    found = NeuralForecast([model], freq=1).cross_validation(
        frame, n_windows=None, test_size=len(values) - first, step_size=1, refit=False
    )
    return found["it"].to_numpy().reshape(-1, horizon), time.perf_counter() - begin


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()
    question = json.load(sys.stdin)
    predicted, seconds = forecast(question)
    answers = {"LSTM": {"predicted": predicted.tolist(), "seconds": seconds}}
    packages = {name: version(name) for name in ("neuralforecast", "torch")}
    Path(sys.argv[1]).write_text(json.dumps({"versions": packages, "answers": answers}), encoding="utf-8")

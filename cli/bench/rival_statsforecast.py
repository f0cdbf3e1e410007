"""AutoETS and AutoARIMA of statsforecast: a script that `numlstm bench forecast` runs in their environment.

It reads a `Question` of `numlstm.cli.bench.rivals` as JSON from its input, and writes the answers to the file that its
argument names.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from statsforecast.models import AutoARIMA, AutoETS


def forecast(model, values: np.ndarray, first: int, horizon: int) -> tuple[np.ndarray, float]:
    """Fit to the values before `first`, and forecast from each origin from `first` - 1 on, with all parameters fixed.

    Returns:
        [M, horizon], and the seconds of the fit.
    """
    begin = time.perf_counter()
    model.fit(values[:first])
    seconds = time.perf_counter() - begin
    if horizon == 1:
        return model.forward(values, h=1, fitted=True)["fitted"][first:, None], seconds
    origins = range(first, len(values) - horizon + 1)
    return np.stack([model.forward(values[:origin], h=horizon)["mean"] for origin in origins]), seconds


if __name__ == "__main__":
    question = json.load(sys.stdin)
    values = np.array(question["values"])
    limits = {"max_p": 2, "max_q": 2, "max_P": 1, "max_Q": 1} if question["arima_season"] > 24 else {}
    models = {
        "AutoETS": AutoETS(season_length=question["ets_season"]),
        "AutoARIMA": AutoARIMA(season_length=question["arima_season"], **limits),
    }
    # The first call of each compiles: it must not count.
    for model in (AutoETS(), AutoARIMA()):
        forecast(model, np.random.default_rng(0).normal(size=40), 30, 1)
    answers = {}
    for name, model in models.items():
        predicted, seconds = forecast(model, values, question["first"], question["horizon"])
        answers[name] = {"predicted": predicted.tolist(), "seconds": seconds}
    packages = {name: version(name) for name in ("statsforecast", "numpy")}
    Path(sys.argv[1]).write_text(json.dumps({"versions": packages, "answers": answers}), encoding="utf-8")

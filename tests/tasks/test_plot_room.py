"""Texts in pictures have room: legends end inside, and labels of neighbouring panels do not meet."""

from itertools import pairwise

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from numlstm.tasks.forecast.charts import Curves, Fan, fan_figure, forecast_figure


def test_a_legend_of_all_rules_and_many_steps_ends_inside_of_the_picture():
    day = np.datetime64("2020-01-01") + np.arange(60)
    values = np.arange(60.0)
    rules = dict.fromkeys(("persistence", "seasonal naive", "seasonal change", "drift"), values[-20:])
    bounds = dict.fromkeys(("50", "80", "95"), (values[-20:], values[-20:]))
    figure = forecast_figure(
        Curves(day, values, values[-20:], rules, bounds, "a", "day", "y", prediction="predicted 365 steps ahead")
    )
    FigureCanvasAgg(figure).draw()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x1 <= figure.bbox.x1


def test_dates_of_panels_beside_each_other_do_not_meet():
    day = np.datetime64("1984-12-12", "us") + np.timedelta64(1, "D") * np.arange(1400)
    values = np.arange(1400.0)
    starts = [0, 292, 584, 876, 1168]
    fans = [Fan(start + 21, start + 20, values[:8], {"80": (values[:8], values[:8])}) for start in starts]
    panels = [slice(start, start + 35) for start in starts]
    figure = fan_figure(day, values, fans, panels, title="a", axis_name="day", target="y")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for row in (figure.axes[:3], figure.axes[3:5]):
        texts = [[text for text in panel.get_xticklabels() if text.get_text()] for panel in row]
        boxes = [[text.get_window_extent() for text in each] for each in texts]
        for left, right in pairwise(boxes):
            assert max(box.x1 for box in left) + 20 < min(box.x0 for box in right)

"""The parts of any task's page: charts, where their axes are labelled, and tables."""

import json
import re

import numpy as np
import pytest

from numlstm.page.chart import Band, Chart, Line, extremes
from numlstm.page.html import code, definitions, document, table
from numlstm.page.ticks import date_ticks, number_ticks


def chart(axis, *lines, bands=(), **options):
    lines = [Line(f"line {number}", np.asarray(values, float), "true") for number, values in enumerate(lines)]
    labels = [str(value) for value in axis]
    return Chart("A chart:", "some lines", np.asarray(axis), labels, "axis", "unit", lines, bands, **options).html()


def path_of(text, kind="true"):
    return re.findall(rf'<path class="{kind}" d="([^"]*)"', text)[-1]


def test_a_line_goes_through_its_points():
    text = chart([0, 1, 4], [0, 10, 20])
    low, high = -1, 21  # 5 % of room on both sides.
    expected = [(0, 0), (250, 10), (1000, 20)]
    places = [tuple(map(float, part.split())) for part in re.split("[ML]", path_of(text).replace("h0", ""))[1:]]
    np.testing.assert_allclose(places, [(x, 400 * (high - y) / (high - low)) for x, y in expected], atol=0.06)


def test_what_is_not_finite_interrupts_a_line_and_a_band():
    y = [1, np.nan, 3, 4, np.inf]
    band = Band("80 %", np.array([0, 1, np.nan, 3, 4.0]), np.array([1, 2, 3, 4, 5.0]))
    text = chart(range(5), y, bands=[band])
    assert re.sub(r"[\d. ]", "", path_of(text)) == "MhMhL"
    assert re.sub(r"[\d. ]", "", path_of(text, "band")) == "MLLLZMLLLZ"
    values = dict(json.loads(re.search(r'json">(.*?)</script>', text).group(1))["v"])
    assert values["line 0"] == ["1", "", "3", "4", ""]
    assert values["80 %"] == ["0 to 1", "1 to 2", "", "3 to 4", "4 to 5"]


@pytest.mark.parametrize(
    "values", [[3, 3, 3], [0, 0, 0], [np.nan] * 3, [-1.7e308, 0, 1.7e308], [1e-320, 0, 0], [1e15, 1e15 + 1, 1e15]]
)
def test_any_values_can_be_drawn(values):
    text = chart([1, 2, 3], values)
    assert not re.search(r"nan|inf", text)
    assert all(-1 <= float(y) <= 401 for y in re.findall(r"[ML][\d.]+ (-?[\d.]+)", text))


def test_one_value_can_be_drawn():
    assert "M0.0 200.0h0" in chart([5], [7])
    assert "M0.0 200.0h0" in chart(np.array(["2020-01-01"], "M8[us]"), [7])


def test_extremes_show_every_peak():
    values = np.sin(np.arange(10_000))
    values[[1234, 9876]] = 5, -5
    shown = extremes(values, 200)
    assert len(shown) <= 202
    assert {0, 1234, 9876, 9999} <= set(shown.tolist())
    assert (np.diff(shown) > 0).all()
    np.testing.assert_array_equal(extremes(values, 10_000), np.arange(10_000))


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (-0.13, 0.12, ["-0.10", "-0.05", "0.00", "0.05", "0.10"]),
        (1700, 2008, ["1700", "1750", "1800", "1850", "1900", "1950", "2000"]),
        (0, 3e9, ["0", "5e+08", "1e+09", "1.5e+09", "2e+09", "2.5e+09", "3e+09"]),
        (4, 4, ["4"]),
        (0, float("inf"), ["0"]),
    ],
)
def test_round_numbers(low, high, texts):
    assert [text for _, text in number_ticks(low, high, 7)] == texts


def test_whole_numbers_have_no_fractions():
    assert [text for _, text in number_ticks(1, 3, 8, whole=True)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        ("2020-01-15", "2020-06-20", ["2020-02", "2020-03", "2020-04", "2020-05", "2020-06"]),
        ("2020-01-01T22:30", "2020-01-02T01:55", ["01-01 23:00", "01-02 00:00", "01-02 01:00"]),
        ("2020-01-01T00:00:58", "2020-01-01T00:01:01", ["00:00:58", "00:00:59", "00:01:00", "00:01:01"]),
        ("1700-05-01", "2019-01-01", ["1800", "1900", "2000"]),
        ("2020-01-02", "2020-01-02", ["2020-01-02T00:00:00"]),
    ],
)  # fmt: skip
def test_dates_where_a_part_of_the_calendar_begins(low, high, texts):
    ticks = date_ticks(np.datetime64(low, "us"), np.datetime64(high, "us"), 6)
    assert [text for _, text in ticks] == texts


@pytest.mark.parametrize("span", [2, 50, 3_600, 40_000, 86_400, 10**6, 10**7, 10**8, 10**10, 2 * 10**11])
def test_a_span_of_any_length_has_some_dates_and_not_too_many(span):
    low = np.datetime64("1601-07-13T05:06:07", "us")
    ticks = date_ticks(low, low + np.timedelta64(span, "s"), 8)
    assert 1 <= len(ticks) <= 8
    assert all(low <= date <= low + np.timedelta64(span, "s") for date, _ in ticks)


def test_foreign_text_stays_text():
    foreign = "</title><script>x\x00\u202e\"'&"
    for made in (
        document(foreign, "", []), definitions([(foreign, foreign)]), table(foreign, [foreign], [[foreign, foreign]]),
        code(foreign), chart([1, 2], [1, 2]).replace("A chart:", ""),
    ):  # fmt: skip
        assert "<script>x" not in made
        assert made.count("</title>") <= 1


def test_a_minor_line_does_not_widen_the_axis_and_is_told_where_it_goes_beyond():
    lines = [Line("model", np.array([1.0, 2, 3]), "model"), Line("rival", np.array([2.0, 2, 2]), "rival")]
    axis, labels = np.arange(3), ["a", "b", "c"]
    plain = Chart("A chart:", "some lines.", axis, labels, "axis", "unit", lines).html()
    for far, told in ((1000.0, " Beyond the drawing: drift."), (2.5, "")):
        minor = Line("drift", np.array([2.0, far, 2]), "other1", minor=True)
        text = Chart("A chart:", "some lines.", axis, labels, "axis", "unit", [*lines, minor]).html()
        assert path_of(text, "model") == path_of(plain, "model")
        assert f"some lines.{told}</figcaption>" in text
        # It is in a drawing of its own, which cuts it off, behind the other lines.
        assert re.search(
            r'<svg width="1000" height="400">\s*<path class="other1"[^>]*>\s*</svg>\s*<path class="rival"', text
        )


@pytest.mark.parametrize("step", ["1970-01-02", "1970-01-01T01", "1970-02-01", "1970-01-01T00:05", "1971"])
@pytest.mark.parametrize("count", [9, 30, 55, 100])
def test_texts_at_the_axis_have_room(step, count):
    step = np.datetime64(step, "us") - np.datetime64(0, "us")
    text = chart(np.datetime64("2020-01-30T22:00", "us") + step * np.arange(count), range(count))
    places = re.findall(r"left:clamp\(([\d.]+)ch,([\d.]+)%", text)
    assert len(places) > 1
    for width, parts in ((78, places), (42, places[::2])):  # Characters across a page of 40rem, and across a phone.
        middles = [min(max(width * float(at) / 100, float(half)), width - float(half)) for half, at in parts]
        for number in range(1, len(parts)):
            assert middles[number] - middles[number - 1] > float(parts[number][0]) + float(parts[number - 1][0])

"""The report in a real browser: it draws its charts, tells values where one points, and fits a phone."""

import html
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from numlstm.cli import main

REQUIRED = os.environ.get("NUMLSTM_REQUIRE_BROWSER") == "1"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--enable-logging=stderr",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="there is no Chromium to open the page in")

# A frame as narrow as a phone, in which the pointer and the keys move; what was found becomes an attribute of the body.
PROBE = """<!DOCTYPE html><title>probe</title><body>
<iframe style="width:360px;height:800px;border:0" srcdoc="PAGE"></iframe>
<script>
document.querySelector("iframe").addEventListener("load", (event) => {
  const page = event.target.contentDocument, view = event.target.contentWindow;
  const charts = [...page.querySelectorAll("figure .chart")];
  const told = charts.map((chart) => {
    const plot = chart.querySelector(".plot"), tip = chart.querySelector(".tip");
    const box = plot.getBoundingClientRect();
    const point = (part) => {
      const place = { clientX: box.left + part * box.width, clientY: box.top + 20, pointerType: "mouse" };
      plot.dispatchEvent(new view.PointerEvent("pointermove", place));
      return tip.hidden ? "" : tip.innerText;
    };
    const texts = [point(0), point(1)];
    const edges = [tip.offsetLeft, tip.offsetLeft + tip.offsetWidth, chart.clientWidth];
    plot.dispatchEvent(new view.KeyboardEvent("keydown", { key: "ArrowLeft" }));
    texts.push(tip.innerText);
    plot.dispatchEvent(new view.PointerEvent("pointerleave", { pointerType: "mouse" }));
    return { texts, edges, left: tip.hidden };
  });
  const lines = charts.map((chart) => chart.querySelector("path.true, path.model").getBoundingClientRect().width);
  const width = page.documentElement.scrollWidth;
  document.body.dataset.found = JSON.stringify({ told, lines, width });
  console.log("the probe is at its end");
});
</script>"""


def browse(page, tmp_path, *options):
    """Open a page in a browser without a profile: its standard output, and what it says on standard error."""
    assert CHROMIUM is not None, "NUMLSTM_REQUIRE_BROWSER is set, but there is no Chromium"
    command = [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *options, page.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return result.stdout, [line for line in result.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report on dated sales, with a horizon of 3, an ensemble and intervals."""
    folder = tmp_path_factory.mktemp("browser")
    steps = np.arange(120)
    units = 100 + 20 * np.sin(steps * 2 * np.pi / 7) + np.random.default_rng(0).normal(0, 3, 120)
    days = np.datetime64("2022-01-01") + steps
    rows = [f"{day},{unit:.2f}" for day, unit in zip(days, units, strict=True)]
    (folder / "sales.csv").write_text("\n".join(["date,<b>units</b>", *rows]))
    command = ["train", str(folder / "sales.csv"), "--horizon", "3", "--units", "4", "--epochs", "3", "--ensemble", "2"]
    result = CliRunner().invoke(main, [*command, "--quiet", "--out", str(folder / "run")])
    assert result.exit_code == 0, result.output
    return folder / "run" / "report.html"


def test_the_charts_tell_their_values_on_a_phone(report, tmp_path):
    page = tmp_path / "probe.html"
    page.write_text(PROBE.replace("PAGE", html.escape(report.read_text(encoding="utf-8"))), encoding="utf-8")
    dom, console = browse(page, tmp_path, "--dump-dom", "--window-size=800,900", "--virtual-time-budget=5000")
    assert len(console) == 1, console
    assert "the probe is at its end" in console[0]
    found = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', dom).group(1)))
    assert found["width"] == 360
    assert len(found["told"]) == len(found["lines"]) == 6
    assert min(found["lines"]) > 30
    for told in found["told"]:
        assert told["left"]
        assert 0 <= told["edges"][0] <= told["edges"][1] <= told["edges"][2]
    first, last, before = found["told"][0]["texts"]
    assert re.search(r"\d{4}-\d\d-\d\d\ntrue [\d.]+$", first)
    assert re.search(r"2022-04-30\npredicted 3 steps ahead [\d.]+\ntrue [\d.]+\npersistence", last)
    assert re.search(r"\n95 % [\d.]+ to [\d.]+\n80 % [\d.]+ to [\d.]+$", last)
    assert before.startswith("2022-04-29\n")


@pytest.mark.parametrize(("scheme", "back", "line"), [(1, 0xFFFFFF, 0xB8243F), (0, 0x16181B, 0xFF8095)])
def test_the_page_is_light_and_dark(report, tmp_path, scheme, back, line):
    picture = tmp_path / "page.png"
    setting = f"--blink-settings=preferredColorScheme={scheme}"
    _, console = browse(report, tmp_path, setting, f"--screenshot={picture}", "--window-size=1280,1000")
    assert console == []
    pixels = (imread(picture)[..., :3] * 255).round().astype(int)
    colours = pixels @ [1 << 16, 1 << 8, 1]
    assert np.mean(colours == back) > 0.5
    assert np.sum(colours == line) > 100

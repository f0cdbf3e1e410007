// Shows the values of a chart where one points, taps or, with the arrow keys, goes.
for (const chart of document.querySelectorAll(".chart")) {
  const data = JSON.parse(chart.querySelector("script").textContent);
  const [plot, cursor, tip] = [".plot", ".cursor", ".tip"].map((name) => chart.querySelector(name));
  const last = data.x.length - 1;
  let at = last;

  function show(index) {
    at = Math.max(0, Math.min(last, index));
    const name = document.createElement("b");
    name.textContent = data.t[at];
    const lines = data.v.filter(([, values]) => values[at] !== "").map(([name, values]) => {
      const line = document.createElement("span");
      line.textContent = `${name} ${values[at]}`;
      return line;
    });
    tip.replaceChildren(name, ...lines);
    cursor.hidden = tip.hidden = false;
    cursor.style.left = `${data.x[at] / 10}%`;
    // Beside the cursor, on the side with more room.
    const place = plot.offsetLeft + (plot.clientWidth * data.x[at]) / 1000;
    const left = data.x[at] > 500 ? place - tip.offsetWidth - 10 : place + 10;
    tip.style.left = `${Math.max(0, Math.min(chart.clientWidth - tip.offsetWidth, left))}px`;
  }

  function hide() {
    cursor.hidden = tip.hidden = true;
  }

  function point(event) {
    const box = plot.getBoundingClientRect();
    const x = (1000 * (event.clientX - box.left)) / box.width;
    let nearest = 0;
    data.x.forEach((place, index) => {
      if (Math.abs(place - x) < Math.abs(data.x[nearest] - x)) nearest = index;
    });
    show(nearest);
  }

  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  plot.addEventListener("focus", () => plot.matches(":focus-visible") && show(at));
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const places = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
    if (event.key === "Escape") hide();
    if (!(event.key in places)) return;
    event.preventDefault();
    show(places[event.key]);
  });
}

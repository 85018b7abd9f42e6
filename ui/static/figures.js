/* Small figures in SVG: a calibration curve, and profit by cost. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const SVG = "http://www.w3.org/2000/svg";
  const SIZE = { width: 320, height: 220, left: 40, bottom: 22, top: 8, right: 20 };

  const shape = (tag, attributes, text) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const figure = (label, height = SIZE.height) => {
    const attributes = { viewBox: `0 0 ${SIZE.width} ${height}`, role: "img", "aria-label": label };
    return shape("svg", attributes);
  };

  /* Curves by learner: bins [predicted, observed, half-width, bars]. */
  Tickloop.calibration = (curves) => {
    const names = Object.keys(curves);
    const values = names.flatMap((name) =>
      curves[name].flatMap(([predicted, observed, half]) => [predicted, observed - half, observed + half])
    );
    const low = Math.max(0, Math.min(0.4, ...values) - 0.02);
    const high = Math.min(1, Math.max(0.6, ...values) + 0.02);
    const within = (value) => (Math.min(Math.max(value, low), high) - low) / (high - low);
    const x = (value) => SIZE.left + within(value) * (SIZE.width - SIZE.left - SIZE.right);
    const y = (value) => SIZE.height - SIZE.bottom - within(value) * (SIZE.height - SIZE.bottom - SIZE.top);
    const bins = names.map((name) => `${name} in ${curves[name].length} bins`).join(", ");
    const svg = figure(`Calibration: how often the close was higher against the predicted probability; ${bins}`);
    svg.append(...ticks(low, high, x, y), line(x(low), y(low), x(high), y(high), "even"));
    names.forEach((name, i) => svg.append(...curve(curves[name], i % Tickloop.SERIES, x, y)));
    return svg;
  };

  const line = (x1, y1, x2, y2, className) => shape("line", { x1, y1, x2, y2, class: className });

  const ticks = (low, high, x, y) => {
    const step = high - low > 0.5 ? 0.2 : 0.1;
    const shapes = [];
    for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step) {
      const text = `${Math.round(100 * value)} %`;
      shapes.push(line(SIZE.left, y(value), SIZE.width - SIZE.right, y(value), "grid"));
      shapes.push(shape("text", { x: SIZE.left - 4, y: y(value) + 3, "text-anchor": "end" }, text));
      shapes.push(shape("text", { x: x(value), y: SIZE.height - 6, "text-anchor": "middle" }, text));
    }
    return shapes;
  };

  const curve = (bins, colour, x, y) => {
    const path = bins.map(([predicted, observed]) => `${x(predicted)},${y(observed)}`).join(" ");
    const shapes = [shape("polyline", { points: path, class: `curve s${colour}` })];
    for (const [predicted, observed, half, bars] of bins) {
      const [left, low, high] = [x(predicted), y(observed - half), y(observed + half)];
      shapes.push(shape("line", { x1: left, x2: left, y1: low, y2: high, class: `s${colour}` }));
      const dot = shape("circle", { cx: left, cy: y(observed), r: 3, class: `f${colour}` });
      const [expected, came] = [predicted, observed].map((value) => `${(100 * value).toFixed(1)} %`);
      dot.append(shape("title", {}, `predicted ${expected}, observed ${came}, ${bars} bars`));
      shapes.push(dot);
    }
    return shapes;
  };

  /* Bars of profit at 0, 1 and 2 times the cost: [value, half-width] each, bp. */
  Tickloop.profits = (bars, learner) => {
    const height = 64;
    const svg = figure(`P&L of ${learner} at 0, 1 and 2 times the cost`, height);
    svg.setAttribute("preserveAspectRatio", "xMinYMid"); // begins where the texts below it do
    const reach = Math.max(1e-9, ...bars.map(([value, half]) => Math.abs(value) + (half ?? 0)));
    const middle = 190;
    const x = (value) => middle + (value / reach) * (SIZE.width - middle - 8);
    svg.append(line(middle, 0, middle, height, "even"));
    bars.forEach(([value, half], times) => {
      const top = 3 + times * 21;
      const [from, to] = [Math.min(x(0), x(value)), Math.max(x(0), x(value))];
      svg.append(
        shape("text", { x: 0, y: top + 11 }, `${times} × cost`),
        shape("rect", {
          x: from, y: top, width: Math.max(to - from, 1), height: 14, class: value >= 0 ? "gain" : "loss",
        })
      );
      if (half !== null) svg.append(line(x(value - half), top + 7, x(value + half), top + 7, "half"));
    });
    return svg;
  };
})();

/* The chart's time axis: ticks at round times (:15, :30, whole minutes), dates, UTC or local time.
   lightweight-charts gives all seconds of a minute the same weight, so that any of them may be named. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const DAY = 86400;

  /* Length of a unit in seconds -> weight of the first point in it, on the library's scale. */
  const WEIGHTS = [
    [DAY, 50], [43200, 33], [21600, 32], [10800, 31], [3600, 30], [1800, 22],
    [300, 21], [60, 20], [30, 16], [15, 14], [5, 12],
  ];
  const LEAST = 10;

  const local = (ts) => ts + Tickloop.time.shift(ts);

  class Axis extends L.defaultHorzScaleBehavior() {
    fillWeightsForPoints(points, start) {
      for (let i = start; i < points.length; i++) {
        const now = local(points[i].originalTime);
        const before = i ? local(points[i - 1].originalTime) : now - 1;
        const found = WEIGHTS.find(([unit]) => Math.floor(now / unit) !== Math.floor(before / unit));
        points[i].timeWeight = found ? found[1] : LEAST;
      }
    }
  }

  /* `:15` of a second, the minute, or the date where a day begins. */
  const tick = (ts) => {
    const { clock, date } = Tickloop.time;
    const at = clock(ts);
    if (at === "00:00:00") return date(ts).slice(5);
    return at.endsWith(":00") ? at.slice(0, 5) : at;
  };

  Tickloop.createTimeChart = (host, options) =>
    L.createChartEx(host, new Axis(), {
      ...options,
      localization: { timeFormatter: (ts) => `${Tickloop.time.full(ts)} ${Tickloop.time.zone(ts)}` },
      timeScale: {
        timeVisible: true,
        secondsVisible: true,
        borderVisible: false,
        uniformDistribution: true,
        tickMarkMaxCharacterLength: 6,
        tickMarkFormatter: tick,
        ...options.timeScale,
      },
    });
})();

/* Lines over training cycles; the time axis counts cycles. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  class CycleChart {
    constructor(id, format) {
      const host = Tickloop.byId(id);
      this.empty = host.parentElement.querySelector(".empty");
      this.format = format;
      this.lines = new Map();
      this.chart = L.createChart(host, {
        autoSize: true,
        rightPriceScale: { borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.15, bottom: 0.1 } },
        timeScale: {
          borderVisible: false,
          tickMarkFormatter: (cycle) => `#${cycle}`,
          minBarSpacing: 0.2,
        },
        localization: { timeFormatter: (cycle) => `cycle ${cycle}` },
        handleScroll: false,
        handleScale: false,
      });
      // A chart in a view that is not open has no width to fit its content to.
      new ResizeObserver(() => this.chart.timeScale().fitContent()).observe(host);
      this.recolour();
    }

    /* Show lines: each {key, points: Map of cycle to value, style, width, colour}. */
    show(lines) {
      const kept = new Map(lines.map((line) => [line.key, line]));
      for (const [key, { series, colour, width }] of this.lines) {
        const { colour: ours, width: broad = 2 } = kept.get(key) ?? {};
        if (ours === colour && broad === width) continue;
        this.chart.removeSeries(series);
        this.lines.delete(key);
      }
      for (const line of lines) this.line(line).setData(this.points(line.points));
      this.chart.timeScale().fitContent();
      this.empty.hidden = lines.some((line) => line.points.size > 0);
    }

    points(values) {
      return [...values]
        .sort(([a], [b]) => a - b)
        .map(([time, value]) => (value === null ? { time } : { time, value }));
    }

    line({ key, colour, style = L.LineStyle.Solid, width = 2, newestOnly = false }) {
      if (!this.lines.has(key)) {
        const series = this.chart.addSeries(L.LineSeries, {
          lineWidth: width,
          lineStyle: style,
          priceLineVisible: false,
          lastValueVisible: width > 1,
          crosshairMarkerVisible: width > 1,
          // An interval is wide at first: only its newest bounds widen the scale.
          ...(newestOnly ? { autoscaleInfoProvider: () => this.newest(key) } : {}),
          color: Tickloop.colour(`c${colour}`),
          priceFormat: { type: "custom", formatter: this.format, minMove: 0.0001 },
        });
        this.lines.set(key, { series, colour, width });
      }
      return this.lines.get(key).series;
    }

    /* Make one line broad, and all others as they were. */
    emphasize(key) {
      for (const [each, { series, width }] of this.lines) {
        const wanted = each === key ? width + 2 : width;
        if (series.options().lineWidth !== wanted) series.applyOptions({ lineWidth: wanted });
      }
    }

    newest(key) {
      const value = this.lines.get(key).series.data().at(-1)?.value;
      return value === undefined ? null : { priceRange: { minValue: value, maxValue: value } };
    }

    recolour() {
      this.chart.applyOptions(Tickloop.chartOptions(false));
      for (const { series, colour } of this.lines.values()) {
        series.applyOptions({ color: Tickloop.colour(`c${colour}`) });
      }
    }
  }

  /* Rows [cycle, accuracy, win rate, best baseline's accuracy]. */
  class Mini {
    constructor() {
      this.chart = new CycleChart("mini", (value) => `${value.toFixed(0)} %`);
      const scaleMargins = { top: 0.2, bottom: 0.2 }; // it is low: a tag needs that room
      this.chart.chart.priceScale("right").applyOptions({ scaleMargins });
      this.set([]);
    }

    set(rows) {
      this.rows = new Map();
      this.add(rows);
    }

    add(rows) {
      for (const [cycle, accuracy, winRate, baseline] of rows) {
        this.rows.set(cycle, { accuracy, winRate, baseline });
      }
      const percent = (value) => (value === null ? null : 100 * value);
      const of = (key) => new Map([...this.rows].map(([cycle, row]) => [cycle, percent(row[key])]));
      for (const mark of document.querySelectorAll("[data-line]")) {
        mark.hidden = ![...this.rows.values()].some((row) => row[mark.dataset.line] !== null);
      }
      this.chart.show([
        { key: "accuracy", points: of("accuracy"), colour: 0 },
        { key: "win rate", points: of("winRate"), colour: 1 },
        { key: "baseline", points: of("baseline"), colour: 2, style: L.LineStyle.Dashed, width: 1 },
      ]);
    }

    recolour() {
      this.chart.recolour();
    }
  }

  Tickloop.CycleChart = CycleChart;
  Tickloop.Mini = Mini;
})();

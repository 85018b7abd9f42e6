/* The forecasts under the price: each forecaster's probability that the close is higher, at the bar
   that it is about; of a longer candle, their mean. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const ROOM = 0.03; // beyond the band

  /* A row of ui/chart/ledger_marks.py, which comes every second and therefore without names. */
  const forecastOf = ([time, ...probabilities]) => ({ time, probabilities });

  class Strip {
    constructor(chart, pane, legend) {
      Object.assign(this, { chart, pane, legend, rows: new Map(), series: new Map() });
      this.learners = [];
      this.open = new Set(); // the learners whose newest bar has no forecast
      this.thresholds = []; // pairs of a time and the confidence from then on
      this.visible = true;
    }

    setLearners(learners) {
      this.learners = learners;
      this.describe();
    }

    setThresholds(thresholds) {
      this.thresholds = thresholds;
      if (this.band) this.band.thresholds = thresholds;
      for (const series of this.series.values()) series.applyOptions({});
      this.describe();
    }

    /* The confidence that was in force. */
    confidenceAt(time = Infinity) {
      return this.thresholds.findLast(([since]) => since < time)?.[1];
    }

    show(visible) {
      this.visible = visible;
      for (const series of this.series.values()) series.applyOptions({ visible });
      this.legend.hidden = !visible;
    }

    clear() {
      for (const series of this.series.values()) series.setData([]);
    }

    /* Show the rows of a first message, on top of what is here from `first` on. */
    set(rows, keep, first) {
      const older = keep ? [...this.rows.values()].filter((row) => row.time >= first) : [];
      const merged = new Map(older.map((row) => [row.time, row]));
      for (const row of rows.map(forecastOf)) merged.set(row.time, row);
      this.rows = new Map([...merged].sort(([a], [b]) => a - b));
      this.draw();
    }

    draw() {
      for (const i of this.forecasters()) {
        this.line(i).setData(this.points(i));
      }
      this.describe();
    }

    update(rows) {
      let last = [...this.rows.keys()].pop() ?? -Infinity;
      for (const row of rows.map(forecastOf)) {
        const older = row.time < last;
        if (older && !this.rows.has(row.time)) continue;
        this.rows.set(row.time, row);
        row.probabilities.forEach((value, i) => {
          if (value !== null || this.series.has(i)) this.add(row, i, older);
        });
        last = Math.max(last, row.time);
      }
      this.describe();
    }

    /* All points of a learner. The chart joins points: at a bar without a forecast it gets the next
       one's value without a colour, and shows a gap. */
    points(i) {
      let next = null;
      const points = [...this.rows.values()].reverse().map((row) => {
        const value = row.probabilities[i] ?? null;
        if (value === null) return next === null ? { time: row.time } : { time: row.time, value: next, color: "transparent" };
        next = value;
        return { time: row.time, value };
      });
      return points.reverse();
    }

    /* Show a row that is new, or has changed. */
    add({ time, probabilities }, i, older) {
      const value = probabilities[i] ?? null;
      if (older || (value !== null && this.open.has(i))) this.line(i).setData(this.points(i));
      else this.line(i).update(value === null ? { time } : { time, value });
      if (value === null) this.open.add(i);
      else this.open.delete(i);
    }

    /* The learners that gave a probability, by index: an agent gives none. */
    forecasters() {
      const found = new Set(this.series.keys());
      for (const { probabilities } of this.rows.values()) {
        probabilities.forEach((value, i) => value !== null && found.add(i));
      }
      return [...found].sort((a, b) => a - b);
    }

    line(i) {
      if (this.series.has(i)) return this.series.get(i);
      const options = {
        lineWidth: 2,
        lineType: L.LineType.WithSteps,
        priceLineVisible: false,
        lastValueVisible: false, // it would be that of the newest candle on the screen
        crosshairMarkerVisible: false,
        visible: this.visible,
        priceFormat: { type: "custom", formatter: (value) => `${(100 * value).toFixed(0)} %`, minMove: 0.01 },
        autoscaleInfoProvider: (original) => this.range(original()),
        color: Tickloop.colour(`c${i % Tickloop.SERIES}`),
      };
      const made = this.chart.addSeries(L.LineSeries, options, this.pane);
      this.series.set(i, made);
      if (!this.band) this.addBand(made);
      return made;
    }

    addBand(series) {
      this.band = new Tickloop.Band(this.thresholds);
      series.attachPrimitive(this.band);
      const half = { price: 0.5, title: "", lineStyle: L.LineStyle.Solid, lineWidth: 1, axisLabelVisible: false };
      this.half = series.createPriceLine({ ...half, color: Tickloop.colour("muted") });
    }

    range(found) {
      const { minValue, maxValue } = found?.priceRange ?? { minValue: 0.5, maxValue: 0.5 };
      const reach = this.confidenceAt() + ROOM;
      return {
        priceRange: { minValue: Math.min(minValue, 1 - reach), maxValue: Math.max(maxValue, reach) },
      };
    }

    /* Write the forecasts about the bar under the mouse, or the newest, into the legend. */
    describe(time) {
      const row = this.rows.get(time) ?? [...this.rows.values()].pop();
      const forecasters = this.forecasters();
      if (!row || !forecasters.length) return this.write("P(rise)", "no forecasts yet");
      const parts = forecasters.map((i) => {
        const value = row.probabilities[i] ?? null;
        const text = `${this.learners[i] ?? ""} ${value === null ? "none" : `${(100 * value).toFixed(1)} %`}`;
        return [`t${i % Tickloop.SERIES}`, text];
      });
      this.write("P(rise)", ...parts, ["", `band: no signal under ${Math.round(100 * this.confidenceAt(time ?? Infinity))} %`]);
    }

    write(...parts) {
      const spans = parts.map((part) => (Array.isArray(part) ? part : ["", part]));
      const text = spans.join();
      if (text === this.shown) return;
      this.shown = text;
      this.legend.replaceChildren(
        ...spans.map(([className, span]) => Tickloop.element("span", span, className))
      );
    }

    recolour() {
      for (const [i, series] of this.series) {
        series.applyOptions({ color: Tickloop.colour(`c${i % Tickloop.SERIES}`) });
      }
      this.half?.applyOptions({ color: Tickloop.colour("muted") });
    }
  }

  Tickloop.Strip = Strip;
})();

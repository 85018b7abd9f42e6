/* The forecasts under the price: how likely each forecaster said the next close is higher, at the
   bar that it is about. A row is ui/live/ledger_marks.py's: [time, probability by learner ...]. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const ROOM = 0.03; // beyond the band

  class Strip {
    constructor(chart, pane, legend) {
      Object.assign(this, { chart, pane, legend, rows: new Map(), series: new Map() });
      this.learners = [];
      this.confidence = 0.65;
    }

    setLearners(learners) {
      this.learners = learners;
      this.describe();
    }

    setConfidence(confidence) {
      this.confidence = confidence;
      if (this.band) this.band.confidence = confidence;
      for (const [line, price] of this.lines ?? []) line.applyOptions({ price: price() });
      for (const series of this.series.values()) series.applyOptions({});
      this.describe();
    }

    /* Take a whole picture, on top of what is here from `first` on. */
    set(rows, keep, first) {
      const older = keep ? [...this.rows.values()].filter((row) => row[0] >= first) : [];
      const merged = new Map(older.map((row) => [row[0], row]));
      for (const row of rows) merged.set(row[0], row);
      this.rows = new Map([...merged].sort(([a], [b]) => a - b));
      this.draw();
    }

    draw() {
      for (const column of this.columns()) {
        const points = [...this.rows.values()].map((row) => this.point(row, column));
        this.line(column).setData(points);
      }
      this.describe();
    }

    update(rows) {
      let last = [...this.rows.keys()].pop() ?? -Infinity;
      for (const row of rows) {
        const older = row[0] < last;
        if (older && !this.rows.has(row[0])) continue;
        this.rows.set(row[0], row);
        const columns = [...row.keys()].filter((i) => i && (row[i] !== null || this.series.has(i)));
        for (const column of columns) {
          this.line(column).update(this.point(row, column), older);
        }
        last = Math.max(last, row[0]);
      }
      this.describe();
    }

    point(row, column) {
      const value = row[column] ?? null;
      return value === null ? { time: row[0] } : { time: row[0], value };
    }

    /* Columns in which something was ever said; an agent gives no probability. */
    columns() {
      const said = new Set(this.series.keys());
      for (const row of this.rows.values()) {
        for (let i = 1; i < row.length; i += 1) if (row[i] !== null) said.add(i);
      }
      return [...said].sort();
    }

    line(column) {
      if (this.series.has(column)) return this.series.get(column);
      const options = {
        lineWidth: 2,
        lineType: L.LineType.WithSteps,
        priceLineVisible: false,
        crosshairMarkerVisible: false,
        priceFormat: { type: "custom", formatter: (value) => value.toFixed(2), minMove: 0.01 },
        autoscaleInfoProvider: (original) => this.range(original()),
        color: Tickloop.colour(`c${(column - 1) % Tickloop.SERIES}`),
      };
      const made = this.chart.addSeries(L.LineSeries, options, this.pane);
      this.series.set(column, made);
      if (!this.band) this.addBand(made);
      return made;
    }

    addBand(series) {
      this.band = new Tickloop.Band(this.confidence);
      series.attachPrimitive(this.band);
      const at = (title, price, lineStyle) => {
        const options = { price: price(), title, lineStyle, lineWidth: 1, axisLabelVisible: false };
        return [series.createPriceLine({ ...options, color: Tickloop.colour("muted") }), price];
      };
      this.lines = [
        at("", () => 0.5, L.LineStyle.Solid),
        at("buy", () => this.confidence, L.LineStyle.Dashed),
        at("sell", () => 1 - this.confidence, L.LineStyle.Dashed),
      ];
    }

    range(found) {
      const { minValue, maxValue } = found?.priceRange ?? { minValue: 0.5, maxValue: 0.5 };
      const reach = this.confidence + ROOM;
      return {
        priceRange: { minValue: Math.min(minValue, 1 - reach), maxValue: Math.max(maxValue, reach) },
      };
    }

    /* Write the forecasts about the bar under the mouse, or the newest, into the legend. */
    describe(time) {
      const row = this.rows.get(time) ?? [...this.rows.values()].pop();
      if (!row) return this.say("up", "no forecasts yet");
      const parts = this.columns().map((column) => {
        const said = row[column] ?? null;
        const text = `${this.learners[column - 1] ?? ""} ${said === null ? "silent" : said.toFixed(3)}`;
        return [`t${(column - 1) % Tickloop.SERIES}`, text];
      });
      this.say("up", ...parts, ["", `band: no signal under ${Math.round(100 * this.confidence)} %`]);
    }

    say(...parts) {
      const words = parts.map((part) => (Array.isArray(part) ? part : ["", part]));
      const text = words.join();
      if (text === this.said) return;
      this.said = text;
      this.legend.replaceChildren(
        ...words.map(([className, word]) => Tickloop.element("span", word, className))
      );
    }

    recolour() {
      for (const [column, series] of this.series) {
        series.applyOptions({ color: Tickloop.colour(`c${(column - 1) % Tickloop.SERIES}`) });
      }
      for (const [line] of this.lines ?? []) line.applyOptions({ color: Tickloop.colour("muted") });
    }
  }

  Tickloop.Strip = Strip;
})();

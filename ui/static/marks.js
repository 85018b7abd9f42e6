/* Paper trades and training cycles on the chart: rows of ui/live/ledger_marks.py.
   A trade is [time, learner, 1 bought | -1 sold], a cycle [cycle, time, version that serves]. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const VERSIONS_NAMED = 3;

  const initial = (name) => (name ?? "?").slice(0, 1).toUpperCase();
  const colourOf = (version) => Tickloop.colour(`c${version % Tickloop.SERIES}`);

  class Marks {
    constructor(chart, candles, legend, open) {
      Object.assign(this, { chart, legend, open, trades: new Map(), cycles: new Map() });
      this.learners = [];
      this.confidence = 0.65;
      this.ofTrades = L.createSeriesMarkers(candles, []);
      this.addCycles();
      chart.subscribeClick(({ hoveredObjectId, point }) => {
        const [what, cycle] = String(hoveredObjectId ?? "").split(":");
        if (what === "cycle") this.open(Number(cycle), point);
      });
    }

    /* Cycles lie along the lower edge of the prices, on a scale of their own. */
    addCycles() {
      this.edge = this.chart.addSeries(L.LineSeries, {
        priceScaleId: "cycles",
        lineVisible: false,
        priceLineVisible: false,
        lastValueVisible: false,
        crosshairMarkerVisible: false,
      });
      this.edge.priceScale().applyOptions({ scaleMargins: { top: 0.9, bottom: 0.06 } });
      this.ofCycles = L.createSeriesMarkers(this.edge, []);
    }

    setLearners(learners) {
      this.learners = learners;
      this.draw();
    }

    setConfidence(confidence) {
      this.confidence = confidence;
      this.describe();
    }

    set(trades, cycles, keep, first) {
      if (!keep) {
        this.trades.clear();
        this.cycles.clear();
      }
      this.take(trades, cycles);
      this.cut(first);
      this.draw();
    }

    update(trades, cycles) {
      if (!trades && !cycles) return;
      this.take(trades ?? [], cycles ?? []);
      this.draw();
    }

    take(trades, cycles) {
      for (const row of trades) this.trades.set(row.join(), row);
      for (const row of cycles) this.cycles.set(row[0], row);
    }

    /* Forget what lies before the chart. */
    cut(first) {
      for (const [key, row] of this.trades) if (row[0] < first) this.trades.delete(key);
      for (const [key, row] of this.cycles) if (row[1] < first) this.cycles.delete(key);
    }

    draw() {
      const byTime = (a, b) => a.time - b.time;
      this.ofTrades.setMarkers([...this.trades.values()].map((row) => this.trade(row)).sort(byTime));
      const cycles = [...this.cycles.values()].sort((a, b) => a[1] - b[1]);
      this.edge.setData([...new Set(cycles.map((row) => row[1]))].map((time) => ({ time, value: 0 })));
      this.ofCycles.setMarkers(
        cycles.map(([cycle, time, version]) => ({
          id: `cycle:${cycle}`,
          time,
          position: "inBar",
          shape: "circle",
          size: 1,
          color: colourOf(version),
          text: `${cycle}`,
        }))
      );
      this.describe();
    }

    trade([time, learner, side]) {
      const bought = side > 0;
      return {
        time,
        position: bought ? "belowBar" : "aboveBar",
        shape: bought ? "arrowUp" : "arrowDown",
        color: Tickloop.colour(bought ? "up" : "down"),
        text: initial(this.learners[learner]),
      };
    }

    /* Say what the marks mean. */
    describe() {
      const { element } = Tickloop;
      const who = [...new Set([...this.trades.values()].map((row) => row[1]))].sort();
      const traders = who.map((i) => `${initial(this.learners[i])} ${this.learners[i]}`).join(", ");
      const at = `${Math.round(100 * this.confidence)} %`;
      const versions = [...new Set([...this.cycles.values()].map((row) => row[2]))];
      const named = versions.sort((a, b) => b - a).slice(0, VERSIONS_NAMED);
      const parts = [];
      if (this.trades.size) parts.push(element("span", `▲ buy ▼ sell on paper: ${traders} (at ${at})`));
      if (named.length) parts.push(element("span", "● cycle, in the colour of the version that serves:"));
      for (const version of named) {
        parts.push(element("span", `● ${version}`, `t${version % Tickloop.SERIES}`));
      }
      const text = parts.map((part) => part.textContent).join();
      if (text === this.said) return;
      this.said = text;
      this.legend.replaceChildren(...parts);
      Tickloop.byId("cycles-open").disabled = !this.cycles.size;
    }

    recolour() {
      this.draw();
    }
  }

  Tickloop.Marks = Marks;
})();

/* Paper trades and training cycles on the chart, as ui/live/ledger_marks.py describes them. */
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
      this.confidence = null; // until the first message
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
      this.add(trades, cycles);
      this.cut(first);
      this.draw();
    }

    update(trades, cycles) {
      if (!trades && !cycles) return;
      this.add(trades ?? [], cycles ?? []);
      this.draw();
    }

    add(trades, cycles) {
      for (const each of trades) this.trades.set(`${each.time}/${each.learner}/${each.side}`, each);
      for (const each of cycles) this.cycles.set(each.cycle, each);
    }

    /* Forget what lies before the chart. */
    cut(first) {
      for (const marks of [this.trades, this.cycles]) {
        for (const [key, { time }] of marks) if (time < first) marks.delete(key);
      }
    }

    draw() {
      const byTime = (a, b) => a.time - b.time;
      this.ofTrades.setMarkers([...this.trades.values()].map((each) => this.trade(each)).sort(byTime));
      const cycles = [...this.cycles.values()].sort(byTime);
      this.edge.setData([...new Set(cycles.map(({ time }) => time))].map((time) => ({ time, value: 0 })));
      this.ofCycles.setMarkers(
        cycles.map(({ cycle, time, version }) => ({
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

    trade({ time, learner, side }) {
      const bought = side > 0;
      return {
        time,
        position: bought ? "belowBar" : "aboveBar",
        shape: bought ? "arrowUp" : "arrowDown",
        color: Tickloop.colour(bought ? "up" : "down"),
        text: initial(this.learners[learner]),
      };
    }

    /* Write what the marks mean into the legend. */
    describe() {
      const { element } = Tickloop;
      const learners = [...new Set([...this.trades.values()].map(({ learner }) => learner))].sort();
      const traders = learners.map((i) => `${initial(this.learners[i])} ${this.learners[i]}`).join(", ");
      const at = `${Math.round(100 * this.confidence)} %`;
      const versions = [...new Set([...this.cycles.values()].map(({ version }) => version))];
      const named = versions.sort((a, b) => b - a).slice(0, VERSIONS_NAMED);
      const parts = [];
      if (this.trades.size) parts.push(element("span", `▲ buy ▼ sell on paper: ${traders} (at ${at})`));
      if (named.length) parts.push(element("span", "● cycle, in the colour of the version that serves:"));
      for (const version of named) {
        parts.push(element("span", `● ${version}`, `t${version % Tickloop.SERIES}`));
      }
      const text = parts.map((part) => part.textContent).join();
      if (text === this.shown) return;
      this.shown = text;
      this.legend.replaceChildren(...parts);
      Tickloop.byId("cycles-open").disabled = !this.cycles.size;
    }

    recolour() {
      this.draw();
    }
  }

  Tickloop.Marks = Marks;
})();

/* Paper trades, training cycles and champions on the chart, as ui/chart/ledger_marks.py has them. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  const initial = (name) => (name ?? "?").slice(0, 1).toUpperCase();
  const byTime = (a, b) => a.time - b.time;
  const LABEL_PX = 30; // the room of a label on the lower edge
  const LETTER_PX = 4; // the room of a candle from which its trades have a letter

  class Marks {
    constructor(chart, candles, legend, open) {
      Object.assign(this, { chart, legend, open });
      [this.trades, this.cycles, this.champions] = [new Map(), new Map(), new Map()];
      this.hidden = new Set();
      this.learners = [];
      this.ofTrades = L.createSeriesMarkers(candles, []);
      this.addEdge();
      this.room = chart.timeScale().options().barSpacing; // px of a candle
      chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.fit());
      chart.subscribeClick(({ hoveredObjectId, point }) => {
        const [what, cycle] = String(hoveredObjectId ?? "").split(":");
        if (what === "cycle") this.open(Number(cycle), point);
      });
    }

    /* Cycles and champions lie along the lower edge of the prices, on a scale of their own. */
    addEdge() {
      this.edge = this.chart.addSeries(L.LineSeries, {
        priceScaleId: "cycles",
        lineVisible: false,
        priceLineVisible: false,
        lastValueVisible: false,
        crosshairMarkerVisible: false,
      });
      this.edge.priceScale().applyOptions({ scaleMargins: { top: 0.9, bottom: 0.06 } });
      this.onEdge = L.createSeriesMarkers(this.edge, []);
    }

    /* Name as many marks as there is room for; the zoom has changed by much. */
    fit() {
      const room = this.chart.timeScale().options().barSpacing;
      if (Math.abs(Math.log2(room / this.room)) < 0.5) return;
      this.room = room;
      this.draw();
    }

    setLearners(learners) {
      this.learners = learners;
      this.draw();
    }

    show(name, visible) {
      if (visible) this.hidden.delete(name);
      else this.hidden.add(name);
      this.draw();
    }

    set(marks, keep, first) {
      if (!keep) for (const kind of this.kinds()) kind.clear();
      this.add(marks);
      for (const kind of this.kinds()) {
        for (const [key, { time }] of kind) if (time < first) kind.delete(key);
      }
      this.draw();
    }

    kinds() {
      return [this.trades, this.cycles, this.champions];
    }

    update(marks) {
      if (!marks.trades && !marks.cycle_marks && !marks.champion_marks) return;
      this.add(marks);
      this.draw();
    }

    add({ trades = [], cycle_marks: cycles = [], champion_marks: champions = [] }) {
      for (const each of trades) this.trades.set(`${each.at}/${each.learner}/${each.side}`, each);
      for (const each of cycles) this.cycles.set(each.cycle, each);
      for (const each of champions) this.champions.set(`${each.time}/${each.learner}`, each);
    }

    clear() {
      this.edge.setData([]);
      this.ofTrades.setMarkers([]);
      this.onEdge.setMarkers([]);
    }

    draw() {
      const shown = (name) => (this.hidden.has(name) ? [] : [...this[name]]);
      const trades = this.ofCandles(shown("trades")).map(([key, each, n]) => this.trade(key, each, n));
      const edge = [
        ...this.named(this.newestOfCandle(shown("cycles"))),
        ...shown("champions").map(([key, each]) => this.champion(key, each)),
      ].sort(byTime);
      this.ofTrades.setMarkers(trades.sort(byTime));
      this.edge.setData([...new Set(edge.map(({ time }) => time))].map((time) => ({ time, value: 0 })));
      this.onEdge.setMarkers(edge);
      this.describe();
    }

    /* Of several cycles in one candle the newest is named. */
    newestOfCandle(cycles) {
      return [...new Map(cycles.map(([, each]) => [each.time, each])).values()];
    }

    /* Cycles, of which those are named that have room. */
    named(cycles) {
      const seconds = Tickloop.candles?.seconds ?? 1;
      let last = -Infinity;
      return cycles.sort(byTime).map((each) => {
        const room = ((each.time - last) / seconds) * this.room >= LABEL_PX;
        if (room) last = each.time;
        return this.cycle(each, room);
      });
    }

    /* Of the trades of a learner in a candle, bought or sold, the newest, and how many there are. */
    ofCandles(trades) {
      const found = new Map();
      for (const [key, each] of trades) {
        const candle = `${each.time}/${each.learner}/${each.side}`;
        found.set(candle, [key, each, 1 + (found.get(candle)?.[2] ?? 0)]);
      }
      return [...found.values()];
    }

    trade(key, { time, learner, side }, n) {
      const bought = side > 0;
      return {
        id: `trade:${key}`,
        time,
        position: bought ? "belowBar" : "aboveBar",
        shape: bought ? "arrowUp" : "arrowDown",
        color: Tickloop.colour(bought ? "up" : "down"),
        text: this.room < LETTER_PX ? "" : `${initial(this.learners[learner])}${n > 1 ? n : ""}`,
      };
    }

    cycle({ cycle, time }, named) {
      const shape = { position: "inBar", shape: "circle", size: 1, color: Tickloop.colour("c0") };
      return { id: `cycle:${cycle}`, time, text: named ? `${cycle}` : "", ...shape };
    }

    champion(key, { learner, version, time }) {
      const shape = { position: "aboveBar", shape: "square", size: 1, color: Tickloop.colour("c4") };
      const [name] = (this.learners[learner] ?? "?").split(".");
      return { id: `champion:${key}`, time, text: version ? `${name} v${version}` : `${name}: none`, ...shape };
    }

    /* Write what the marks mean into the legend. */
    describe() {
      const { element } = Tickloop;
      const learners = [...new Set([...this.trades.values()].map(({ learner }) => learner))].sort();
      const traders = learners.map((i) => `${initial(this.learners[i])} ${this.learners[i]}`).join(", ");
      const parts = [];
      if (this.trades.size) parts.push(element("span", `▲ buy ▼ sell on paper: ${traders}`));
      if (this.cycles.size) parts.push(element("span", "● training cycle", "t0"));
      if (this.champions.size) parts.push(element("span", "■ champion", "t4"));
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

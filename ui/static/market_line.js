/* The columns of the Markets view, and one market's line in it. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { element } = Tickloop;
  const POINTS = 60; // of a small line

  /* Key, heading, the term that explains it, class. `narrow` columns go first where room is short. */
  Tickloop.COLUMNS = [
    ["name", "Market", "", "name"],
    ["marks", "At a glance", "mark of a market", "marks"],
    ["state", "Status", "", "state"],
    ["price", "Price", "", "n"],
    ["rise", "5 min", "", "spark"],
    ["rate", "Ticks/s", "stream/ticks_per_second", "n narrow"],
    ["accuracy", "Live accuracy", "live/accuracy", "n"],
    ["edge", "Edge, nats", "live/edge", "n"],
    ["trend", "Edge by cycle", "live/edge", "spark narrow"],
    ["pnl", "Net P&L", "live/pnl_bps", "n"],
    ["verdict", "Verdict, log E", "promotion/log_e", "verdict"],
    ["missed", "Missed", "live/missed_rate", "n narrow"],
    ["gaps", "Gaps", "stream/gaps", "n"],
    ["lag", "Lag", "stream/lag_ms", "n"],
  ];

  class MarketLine {
    constructor(symbol, index) {
      Object.assign(this, { symbol, index, order: { name: symbol }, words: "" });
      this.node = element("div", undefined, "line");
      this.node.setAttribute("role", "row");
      this.cells = {};
      for (const [key, , , className] of Tickloop.COLUMNS) {
        this.cells[key] = element("span", "", className);
        this.cells[key].setAttribute("role", key === "name" ? "rowheader" : "cell");
        this.node.append(this.cells[key]);
      }
      this.link = element("a", symbol);
      this.link.href = `#${encodeURIComponent(symbol)}/live`;
      this.cells.name.append(this.link);
      this.chip = element("span", "", "chip");
      this.cells.state.append(this.chip);
      this.prices = new Tickloop.Spark(POINTS, false);
      this.edges = new Tickloop.Spark(POINTS, true);
      this.cells.rise.append(this.prices.canvas);
      this.cells.trend.append(this.edges.canvas);
    }

    /* What changes each second. A small line has a new point when its time comes. */
    price(value, decimals, isNew) {
      this.order.price = value;
      this.write("price", Tickloop.price(value, decimals));
      this.prices.put(value, isNew);
    }

    lag(rate, lag) {
      Object.assign(this.order, { rate, lag });
      this.write("rate", rate === null ? "—" : `${rate}`);
      this.write("lag", lag === null ? "—" : `${lag} ms`);
    }

    /* whose: the learners behind a mark; side: that of the profit in the line, 1 above 0, -1 below. */
    show({ state, marks, whose, side, cycle, cells }) {
      if (this.chip.textContent !== state) this.chip.textContent = this.chip.dataset.s = state;
      this.cells.marks.replaceChildren(...marks.map((mark) => Object.assign(element("b", mark, mark), { title: whose[mark] ?? "" })));
      for (const [key, [text, order, whole]] of Object.entries(cells)) {
        this.write(key, text, order === null);
        this.cells[key].title = whole;
        this.order[key] = order;
      }
      this.colour("edge", marks.includes("leads") ? "gain" : "");
      this.colour("pnl", { 1: "gain", "-1": "loss" }[side]);
      this.order.state = state;
      this.order.marks = marks.length ? marks.join(" ") : null;
      this.words = [this.symbol, state, ...marks, cells.verdict[0]].join(" ").toLowerCase();
      if (this.cycle !== undefined && cycle !== this.cycle && cells.edge[1] !== null) this.edges.put(cells.edge[1], true);
      this.cycle = cycle;
    }

    sparks(prices, edges) {
      this.prices.set(prices);
      this.edges.set(edges);
    }

    /* What orders it by a column; null comes last. */
    by(column) {
      if (column === "rise") return this.prices.rise;
      if (column === "trend") return this.edges.rise;
      return this.order[column] ?? null;
    }

    write(key, text, unknown = false) {
      const cell = this.cells[key];
      if (cell.textContent === text) return;
      cell.textContent = text;
      cell.classList.toggle("few", unknown || text.startsWith("n = "));
    }

    colour(key, side) {
      this.cells[key].classList.toggle("gain", side === "gain");
      this.cells[key].classList.toggle("loss", side === "loss");
    }
  }

  Tickloop.MarketLine = MarketLine;
})();

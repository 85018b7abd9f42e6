/* The Markets view: a line a market, live; sorted by a column, filtered by a word. Arrows move from
   line to line, Enter opens a market, a slash goes to the filter. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const MARKS = { proven: "proven better", leads: "lead", earns: "earn", loses: "lose", errs: "err" };
  const TEXTS = ["name", "state"]; // columns that begin with A, others with the highest

  class MarketsView {
    constructor() {
      Object.assign(this, { lines: [], column: "edge", falling: true, shown: [], sparkSeconds: 5 });
      this.body = byId("markets-lines");
      this.filter = byId("markets-filter");
      this.filter.oninput = () => this.arrange();
      this.head();
      this.body.onkeydown = (event) => this.move(event);
      this.body.onclick = (event) => this.open(event);
      this.body.onpointerleave = () => this.arrange();
      document.addEventListener("keydown", (event) => this.hotkey(event));
    }

    head() {
      const select = byId("markets-sort").querySelector("select");
      this.headings = new Map();
      for (const [key, text, term, className] of Tickloop.COLUMNS) {
        const cell = element("span", undefined, className);
        cell.setAttribute("role", "columnheader");
        if (term) cell.dataset.term = term;
        const button = element("button", text);
        button.type = "button";
        button.onclick = () => this.sort(key);
        cell.append(button);
        this.headings.set(key, cell);
        byId("markets-head").append(cell);
        select.append(new Option(text, key));
      }
      select.onchange = () => this.sort(select.value);
      this.buttons = Object.entries(MARKS).map(([mark, verb]) => {
        const button = element("button", "", mark);
        button.type = "button";
        Object.assign(button.dataset, { mark, verb });
        button.onclick = () => this.only(mark);
        return button;
      });
      byId("markets-marks").append(...this.buttons);
      this.tellSort();
    }

    /* A market of its own for each line, once they are known. */
    async begin(symbols) {
      if (this.lines.map(({ symbol }) => symbol).join() !== symbols.join()) {
        this.lines = symbols.map((symbol, i) => new Tickloop.MarketLine(symbol, i));
        this.body.replaceChildren(...this.lines.map(({ node }) => node));
      }
      const found = await Tickloop.request("live/sparks");
      if (found.error) return; // the lines grow from now on
      this.sparkSeconds = found.spark_seconds;
      for (const line of this.lines) line.sparks(found.prices[line.index], found.edges[line.index]);
      this.arrange();
    }

    update({ prices, lags, lines, decimals_of: decimals, market_learners: learners }) {
      if (decimals) this.decimals = decimals;
      if (learners) this.tellLearners(learners);
      const point = Math.floor(Date.now() / 1000 / this.sparkSeconds);
      for (const [i, price] of prices ?? []) {
        const line = this.lines[i];
        line.price(price, this.decimals[i], line.point !== undefined && line.point !== point);
        line.point = point;
      }
      for (const [i, rate, lag] of lags ?? []) this.lines[i].lag(rate, lag);
      for (const line of lines ?? []) this.lines[line.i].show(line);
      if (lines) this.count();
      if (lines || prices || lags) this.arrange({ calm: true });
    }

    tellLearners([forecaster, trader]) {
      for (const key of ["accuracy", "edge", "verdict"]) this.headings.get(key).title = `of ${forecaster || trader}`;
      const whose = trader === forecaster ? "Net P&L" : `Net P&L of ${trader}`;
      this.headings.get("pnl").querySelector("button").textContent = whose;
      this.headings.get("edge").querySelector("button").textContent = forecaster ? "Edge, nats" : "Edge";
      byId("markets-sum").textContent = `Sum of ${whose[0].toLowerCase()}${whose.slice(1)}`;
      // On a phone each line says what its numbers are.
      byId("markets").style.setProperty("--tl-edge-name", forecaster ? '"edge, nats "' : '"edge "');
      byId("markets").style.setProperty("--tl-pnl-name", JSON.stringify(trader === forecaster ? "P&L " : `${trader} P&L `));
    }

    count() {
      for (const button of this.buttons) {
        const { mark, verb } = button.dataset;
        const many = this.lines.filter(({ words }) => words.split(" ").includes(mark)).length;
        const text = `${many} ${verb}`;
        if (button.textContent !== text) button.textContent = text;
        button.disabled = !many && this.filter.value !== mark;
      }
    }

    only(mark) {
      this.filter.value = this.filter.value === mark ? "" : mark;
      this.arrange();
    }

    sort(column) {
      this.falling = column === this.column ? !this.falling : !TEXTS.includes(column);
      this.column = column;
      this.tellSort();
      this.arrange();
    }

    tellSort() {
      for (const [key, cell] of this.headings) {
        cell.setAttribute("aria-sort", key !== this.column ? "none" : this.falling ? "descending" : "ascending");
      }
      byId("markets-sort").querySelector("select").value = this.column;
    }

    /* Put the lines in order. `calm`: not while somebody points at one, which would move away. */
    arrange({ calm = false } = {}) {
      if (calm && this.body.matches(":hover")) return;
      const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (line) => words.every((word) => line.words.includes(word));
      const shown = this.lines.filter(fits).sort((a, b) => this.compare(a, b));
      for (const button of this.buttons) button.setAttribute("aria-pressed", this.filter.value === button.dataset.mark);
      if (shown.length === this.shown.length && shown.every((line, i) => line === this.shown[i])) return;
      this.place(shown);
    }

    compare(a, b) {
      const [x, y] = [a.by(this.column), b.by(this.column)];
      if (x === null || y === null) return (x === null) - (y === null) || a.index - b.index;
      const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
      return (this.falling ? -order : order) || a.index - b.index;
    }

    /* Move only the lines that are not where they belong; the one with the focus keeps it. */
    place(shown) {
      const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
      let next = this.body.firstElementChild;
      for (const { node } of shown) {
        if (node === next) next = next.nextElementSibling;
        else this.body.insertBefore(node, next);
      }
      while (next) {
        const after = next.nextElementSibling;
        next.remove();
        next = after;
      }
      this.shown = shown;
      if (focused?.isConnected) focused.focus({ preventScroll: true });
      this.reach(shown.find(({ link }) => link === document.activeElement) ?? shown[0]);
      byId("markets-none").hidden = shown.length > 0;
      byId("markets-none").textContent = `No market fits "${this.filter.value}".`;
    }

    /* Only one line is reached by the tab key; arrows lead to the others. */
    reach(line) {
      for (const { link } of this.lines) link.tabIndex = -1;
      if (line) line.link.tabIndex = 0;
    }

    move(event) {
      const at = this.shown.findIndex(({ link }) => link === document.activeElement);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.shown.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (to < 0) return this.filter.focus();
      const line = this.shown[Math.min(to, this.shown.length - 1)];
      this.reach(line);
      line.link.focus();
    }

    /* A click on a line, or Enter on its link. Gradio keeps clicks on links of the page's own from
       doing anything; with a key held, the browser opens a tab. */
    open(event) {
      const link = event.target.closest(".line")?.querySelector("a");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      location.hash = link.hash;
    }

    hotkey(event) {
      if (byId("view-markets").hidden) return;
      const typing = event.target.matches("input, select, textarea");
      if (event.key === "/" && !typing) {
        event.preventDefault();
        this.filter.focus();
      } else if (event.target === this.filter && event.key === "Escape") {
        this.filter.value = "";
        this.arrange();
      } else if (event.target === this.filter && ["ArrowDown", "Enter"].includes(event.key) && this.shown.length) {
        event.preventDefault();
        if (event.key === "Enter") return this.shown[0].link.click();
        this.reach(this.shown[0]);
        this.shown[0].link.focus();
      }
    }

    recolour() {
      for (const line of this.lines) {
        line.prices.draw();
        line.edges.draw();
      }
    }
  }

  Tickloop.MarketsView = MarketsView;
})();

/* The trades of the paper accounts, sorted as one likes, and their equity. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const PAUSE_MS = 2000; // between two questions

  /* The forecast behind a trade: a probability, or an agent's action. */
  const forecast = (up, action) => (up === null ? action : `${(100 * up).toFixed(1)} %`);
  const bp = (value) => `${value < -0.05 ? "-" : "+"}${Math.abs(value).toFixed(1)}`;

  class TradesView {
    constructor(show) {
      Object.assign(this, { show, by: "opened", rising: false, asked: 0 });
      this.equity = new Tickloop.Equity("equity");
      this.heads = [...document.querySelectorAll("#trades th[data-by]")];
      for (const head of this.heads) head.querySelector("button").onclick = () => this.sort(head);
      byId("trades-more").onclick = () => {
        this.most *= 4;
        this.load();
      };
      this.most = 200;
      Tickloop.time.onChange(() => this.answer && this.draw(this.answer));
      this.mark();
    }

    update({ traded, cycles }) {
      if (traded !== undefined || cycles) this.due();
    }

    /* Another symbol: what is shown is not its own. */
    begin(decimals) {
      this.decimals = decimals;
      this.due();
    }

    /* Ask again, soon: once for all that changes meanwhile, and only while somebody looks. */
    due() {
      clearTimeout(this.timer);
      const wait = Math.max(0, this.asked + PAUSE_MS - Date.now());
      this.timer = setTimeout(() => Tickloop.whenOpen("view-trades", "trades", () => this.load()), wait);
    }

    sort(head) {
      const { by, first } = head.dataset;
      this.rising = by === this.by ? !this.rising : first === "rising";
      this.by = by;
      this.mark();
      this.load();
    }

    mark() {
      for (const head of this.heads) {
        const order = head.dataset.by !== this.by ? "none" : this.rising ? "ascending" : "descending";
        head.setAttribute("aria-sort", order);
      }
    }

    async load() {
      this.asked = Date.now();
      const { symbol } = Tickloop.connection;
      const query = new URLSearchParams({ symbol, by: this.by, rising: this.rising, most: this.most });
      this.query = `${query}`;
      const answer = await Tickloop.request(`live/trades?${query}`);
      if (this.query !== `${query}`) return; // something else was asked meanwhile
      if (answer.error) byId("trades-note").textContent = answer.error;
      else this.draw(answer);
    }

    draw(answer) {
      this.answer = answer;
      const { rows, total, sums, curves } = answer;
      document.querySelector("#view-trades .zone").textContent = Tickloop.time.zone();
      byId("trades-rows").replaceChildren(...rows.map((row) => this.row(row)));
      byId("trades-none").hidden = total > 0;
      byId("trades-note").textContent = rows.length < total ? `${rows.length} of ${total.toLocaleString("en")} trades` : "";
      byId("trades-more").hidden = rows.length >= total;
      byId("accounts").replaceChildren(...Object.entries(sums).map(([name, each]) => this.sum(name, each)));
      byId("equity-key").replaceChildren(...Tickloop.key(Object.keys(curves)));
      this.equity.show(curves);
    }

    sum(name, [closed, profit, soFar, fall]) {
      const line = element("p");
      const held = Math.abs(soFar - profit) > 0.05 ? `, ${bp(soFar)} bp with the trade that is held` : "";
      const trades = `${closed} trade${closed === 1 ? "" : "s"} closed: ${bp(profit)} bp after costs${held}`;
      line.append(element("b", name), element("span", Tickloop.together(`${trades}; drawdown ${fall.toFixed(1)} bp`)));
      return line;
    }

    row([learner, opened, entry, entryUp, closed, exit, exitUp, profit, reason]) {
      const { full, date, clock } = Tickloop.time;
      const price = (value) => (value === null ? "" : Tickloop.price(value, this.decimals));
      const end = closed === null ? "held" : date(closed) === date(opened) ? clock(closed) : full(closed);
      const line = element("tr");
      const head = element("th");
      const link = element("button", full(opened));
      link.type = "button";
      link.title = "show it on the chart";
      link.onclick = () => this.show(opened);
      head.append(link);
      head.scope = "row";
      const cells = [
        [learner], [bp(profit), `n ${profit < -0.05 ? "loss" : "gain"}`], ["long"], [price(entry), "n"], [forecast(entryUp, "BUY"), "n"], [end], [price(exit), "n"],
        [closed === null ? "" : forecast(exitUp, "SELL"), "n"], ["1", "n"],
        [closed === null ? "" : reason],
      ];
      line.append(head, ...cells.map(([text, className]) => element("td", text, className)));
      return line;
    }

    recolour() {
      this.equity.recolour();
    }
  }

  Tickloop.TradesView = TradesView;
})();

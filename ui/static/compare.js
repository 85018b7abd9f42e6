/* Two runs side by side: what differs in their parameters, and one metric of both over cycles. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const SIDES = ["A", "B"];

  class Compare {
    constructor() {
      this.form = byId("compare");
      this.chart = new Tickloop.CycleChart("compare-chart", (value) => `${Number(value.toPrecision(4))}`);
      for (const select of this.form.querySelectorAll("select")) select.onchange = () => this.load();
      this.form.onsubmit = (event) => event.preventDefault();
    }

    /* Offer runs, the newest first; two of them are shown until others are chosen. */
    offer(runs, shown) {
      for (const name of ["a", "b"]) {
        const select = this.form.elements[name];
        const chosen = select.value;
        const none = new Option("choose a run", "");
        select.replaceChildren(none, ...runs.map(({ id, label }) => new Option(label, id, false, id === chosen)));
      }
      const { a, b } = this.form.elements;
      if (a.value || b.value || shown.length < 2) return;
      [a.value, b.value] = shown;
      this.load();
    }

    async load() {
      const { a, b, metric } = this.form.elements;
      if (!a.value || !b.value) return;
      const query = new URLSearchParams({ a: a.value, b: b.value, metric: metric.value });
      this.query = `${query}`;
      const answer = await Tickloop.request(`live/compare?${query}`);
      if (this.query !== `${query}`) return; // others were chosen meanwhile
      if (answer.error) byId("compare-key").textContent = answer.error;
      else this.show(answer);
    }

    show({ params, same, metrics, metric, points, last }) {
      const select = this.form.elements.metric;
      select.replaceChildren(...metrics.map((name) => new Option(name, name, false, name === metric)));
      this.chart.show(points.map((line, i) => ({ key: SIDES[i], colour: i, points: new Map(line) })));
      const value = (i) => (last[i] === null ? "not logged" : Number(last[i].toPrecision(4)));
      byId("compare-key").replaceChildren(
        ...Tickloop.key(SIDES.map((side, i) => `${side}: ${metric || "no metric"} ${value(i)} `))
      );
      byId("compare-params").textContent = params.length
        ? `Parameters that differ (${same} are the same)`
        : `All ${same} parameters are the same`;
      byId("compare-rows").replaceChildren(
        ...params.map((cells) => {
          const row = element("tr");
          row.append(...cells.map((text) => element("td", text)));
          return row;
        })
      );
    }

    recolour() {
      this.chart.recolour();
    }
  }

  Tickloop.Compare = Compare;
})();

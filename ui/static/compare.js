/* Any number of runs side by side: one metric of each over cycles, and the parameters that differ. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const digits = (value) => `${Math.abs(value) < 1e-9 ? 0 : Number(value.toPrecision(4))}`;
  const SETTLED_MS = 1000; // the runs of a cycle are read one after the other
  const FEW = 8; // lines that are told apart by colour and have their value at the axis

  class Compare {
    constructor() {
      Object.assign(this, { chosen: new Set(), names: new Map(), untouched: true });
      this.form = byId("compare");
      this.chart = new Tickloop.CycleChart("compare-chart", digits);
      this.form.elements.metric.onchange = () => this.load();
      this.form.onsubmit = (event) => event.preventDefault();
      byId("compare-none").onclick = () => this.choose([...this.chosen], false);
      this.onChoice = () => {};
    }

    /* Know the runs' names; `shown` are compared until others are chosen. */
    offer(names, shown) {
      this.names = names;
      if (this.untouched && shown.some((id) => !this.chosen.has(id))) {
        this.chosen = new Set(shown);
        this.load();
      }
    }

    choose(ids, chosen) {
      this.untouched = false;
      for (const id of ids) chosen ? this.chosen.add(id) : this.chosen.delete(id);
      this.load();
    }

    /* These runs have gone on: ask again, once for all that change together. */
    follow(ids) {
      if (![...ids].some((id) => this.chosen.has(id))) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => Tickloop.whenOpen("view-runs", "compare", () => this.load()), SETTLED_MS);
    }

    async load() {
      this.onChoice();
      if (!this.chosen.size) return this.show({ params: [], same: 0, metrics: [], metric: "", runs: [] });
      const query = new URLSearchParams([...this.chosen].map((id) => ["run", id]));
      query.set("metric", this.form.elements.metric.value);
      this.query = `${query}`;
      const answer = await Tickloop.request(`live/compare?${query}`);
      if (this.query !== `${query}`) return; // others were chosen meanwhile
      if (answer.error) byId("compare-key").textContent = answer.error;
      else this.show(answer);
    }

    show({ params, same, metrics, metric, runs }) {
      const select = this.form.elements.metric;
      if (metrics.join() !== this.metrics) {
        this.metrics = metrics.join(); // one that is open stays so
        select.replaceChildren(...metrics.map((name) => new Option(name, name)));
      }
      select.value = metric;
      const width = runs.length > FEW ? 1 : 2;
      this.chart.show(runs.map(({ id, points }, i) => ({ key: id, colour: i % Tickloop.SERIES, width, points: new Map(points) })));
      byId("compare-key").textContent = runs.length ? `${runs.length} ${runs.length === 1 ? "run" : "runs"}` : "";
      byId("compare-params").textContent = params.length
        ? `Parameters that differ (${same} are the same)`
        : runs.length ? `All ${same} parameters are the same` : "";
      const headings = ["run", metric || "no metric", ...params];
      byId("compare-head").replaceChildren(...headings.map((text) => this.heading(text)));
      const rows = runs.map((run, i) => [run.last, this.row(run, i)]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || b - a);
      byId("compare-rows").replaceChildren(...rows.map(([, row]) => row));
    }

    heading(text) {
      const cell = element("th");
      cell.append(Tickloop.label("span", text, Tickloop.termOf(text))); // a metric has its unit there
      cell.scope = "col";
      return cell;
    }

    /* A run's colour, name, newest value and parameters; its line is broad while it is pointed at. */
    row({ id, values, last }, i) {
      const row = element("tr");
      const name = element("th", undefined, "key");
      name.scope = "row";
      name.append(...Tickloop.key([this.names.get(id) ?? id.slice(0, 8)], i));
      const value = last === null ? "not logged" : digits(last);
      row.append(name, element("td", value, last === null ? "n no-number" : "n"));
      row.append(...values.map((text) => element("td", text)));
      row.onpointerenter = () => this.chart.emphasize(id);
      row.onpointerleave = () => this.chart.emphasize(null);
      return row;
    }

    recolour() {
      this.chart.recolour();
    }
  }

  Tickloop.Compare = Compare;
})();

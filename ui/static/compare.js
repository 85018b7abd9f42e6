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
      this.chart.empty.textContent = this.chosen.size ? "reading the runs …" : "no run is ticked";
      if (!this.chosen.size) return this.show({ params: [], same: 0, metrics: {}, metric: "", runs: [] });
      const query = new URLSearchParams([...this.chosen].map((id) => ["run", id]));
      query.set("metric", this.form.elements.metric.value);
      this.query = `${query}`;
      const answer = await Tickloop.request(`live/compare?${query}`);
      if (this.query !== `${query}`) return; // others were chosen meanwhile
      this.chart.empty.textContent = "none of these runs has logged a metric";
      if (answer.error) byId("compare-key").textContent = answer.error;
      else this.show(answer);
    }

    show({ params, same, metrics, metric, runs }) {
      const select = this.form.elements.metric;
      const names = Object.keys(metrics);
      if (names.join() !== this.metrics) {
        this.metrics = names.join(); // one that is open stays so
        select.replaceChildren(...names.map((name) => this.option(name, metrics[name])));
      }
      select.value = select.title = metric;
      const width = runs.length > FEW ? 1 : 2;
      this.chart.show(runs.map(({ id, points }, i) => ({ key: id, colour: i % Tickloop.SERIES, width, points: new Map(points) })));
      byId("compare-key").textContent = runs.length ? `${runs.length} ${runs.length === 1 ? "run" : "runs"}` : "";
      byId("compare-params").textContent = params.length
        ? `Parameters that differ (${same} are the same)`
        : runs.length ? `All ${same} parameters are the same` : "";
      const value = this.heading(metrics[metric] ?? "no metric", "n", Tickloop.termOf(metric));
      const head = [this.heading("run"), value, ...params.map((text) => this.heading(text))];
      byId("compare-head").replaceChildren(...head);
      const rows = runs.map((run, i) => [run.last, this.row(run, i)]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || b - a);
      byId("compare-rows").replaceChildren(...rows.map(([, row]) => row));
    }

    /* What people call a metric; its name in MLflow in the tooltip. */
    option(name, words) {
      return Object.assign(new Option(words, name), { title: name });
    }

    heading(text, className, term) {
      const cell = element("th", undefined, className);
      cell.append(Tickloop.label("span", text, term));
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

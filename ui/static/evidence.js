/* The evidence tab: the table of scores, and figures by learner. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element, place, key } = Tickloop;

  const namesOf = (rows) => [...new Set([...rows.values()].map(({ name }) => name))];

  const fixed = (digits) => (value) => value.toFixed(digits).replace(/^-(0\.0+)$/, "$1"); // no "-0.00"

  class EvidenceView {
    constructor(panel) {
      this.panel = panel;
      this.edges = new Map();
      this.bets = new Map();
      this.edgeChart = new Tickloop.CycleChart("edges", fixed(4));
      this.betChart = new Tickloop.CycleChart("bets", fixed(2));
      this.cells = []; // ends of the keys of a row's texts
    }

    /* A new connection: of another symbol, nothing is kept. */
    begin() {
      this.edges.clear();
      this.bets.clear();
    }

    update({ scores, board, horizons, curves, costs, edges, bets }) {
      if (scores) this.setScores(scores);
      if (board) Tickloop.setLeaderboard(board, this.panel);
      if (horizons) this.setHorizons(horizons);
      for (const [name, cycle, value, half] of edges ?? []) {
        this.edges.set(`${name}/${cycle}`, { name, cycle, value, half });
      }
      for (const [name, cycle, value, threshold] of bets ?? []) {
        this.bets.set(`${name}/${cycle}`, { name, cycle, value, threshold });
      }
      const draw = (part, work) => Tickloop.whenOpen("view-evidence", part, work);
      if (curves) draw("curves", () => this.setCurves(curves));
      if (costs) draw("costs", () => this.setCosts(costs));
      if (edges) draw("edges", () => this.drawEdges());
      if (bets) draw("bets", () => this.drawBets());
    }

    setScores({ rows, learners, forecasters, challengers, windows, columns, baselines_logged: logged }) {
      this.cells = columns.flatMap(([key]) => Object.keys(windows).map((prefix) => prefix + key));
      this.windows = Object.keys(windows).length;
      document.querySelector("#scores thead").replaceChildren(...this.head(columns, Object.values(windows)));
      const body = document.querySelector("#scores tbody");
      const of = (kind) => rows.filter((row) => row.kind === kind).map(({ name }) => this.row(name, kind));
      const baselines = of("baseline");
      body.replaceChildren(...of("learner"), ...(baselines.length || !logged ? [this.divider(logged)] : []), ...baselines);
      byId("pays").replaceChildren(...learners.map((name) => this.pays(name, forecasters.includes(name))));
      byId("verdicts").replaceChildren(...challengers.map((name) => this.panel.sentence(`v.${name}`, name)));
      this.panel.find();
    }

    head(columns, windows) {
      const [first, second] = [element("tr"), element("tr")];
      const cell = (text, scope, span = {}) => Object.assign(element("th", text), { scope, ...span });
      first.append(cell("learner", "col", { rowSpan: 2 }), cell("bars scored", "col", { rowSpan: 2, className: "n" }));
      for (const [key, label] of columns) {
        const group = cell("", "colgroup", { colSpan: windows.length });
        group.append(Tickloop.label("span", label, `live/${key}`));
        first.append(group);
        const heads = windows.map((window) => cell(window, "col", { className: "n" }));
        heads[0].classList.add("begins");
        second.append(...heads);
      }
      return [first, second];
    }

    divider(logged) {
      const row = element("tr", undefined, "divider");
      const unlogged = "the baselines have no runs in a session of many markets (log_baselines); those that forecast are in the leaderboard";
      const head = element("th", logged ? "baselines, always on in the same ledger" : unlogged);
      head.colSpan = 2 + this.cells.length;
      row.append(head);
      return row;
    }

    row(name, kind) {
      const row = element("tr", undefined, kind);
      const head = element("th", kind === "baseline" ? undefined : name);
      if (kind === "baseline") head.append(Tickloop.label("span", name, name));
      head.scope = "row";
      row.append(head, place("td", `e.${name}.scored`, "n"));
      this.cells.forEach((cell, i) => {
        row.append(place("td", `e.${name}.${cell}`, i % this.windows ? "n" : "n begins"));
      });
      return row;
    }

    setHorizons(horizons) {
      const rows = horizons.map((seconds) => {
        const row = element("tr");
        row.append(Object.assign(element("th", String(seconds)), { scope: "row" }));
        for (const cell of ["move", "needed", "reached"]) row.append(place("td", `h.${seconds}.${cell}`, "n"));
        return row;
      });
      document.querySelector("#horizons tbody").replaceChildren(...rows);
      this.panel.find();
    }

    /* An agent gives no probability: there is no accuracy to compare. */
    pays(name, forecaster) {
      const section = element("section");
      section.setAttribute("aria-label", `Break-even of ${name}`);
      const bars = element("div", undefined, "bars");
      bars.dataset.of = name;
      const [account, each] = [element("div", undefined, "pairs"), element("div", undefined, "pairs")];
      account.append(
        this.panel.pair(`p.${name}.0`, "P&L at 0 × cost", true, "live/gross_bps"),
        this.panel.pair(`p.${name}.1`, "P&L at 1 × cost", true, "live/pnl_bps"),
        this.panel.pair(`p.${name}.2`, "P&L at 2 × cost", true, "break-even")
      );
      each.append(
        this.panel.pair(`p.${name}.needed`, "accuracy needed", true, "live/break_even"),
        this.panel.pair(`p.${name}.reached`, "accuracy reached", true, "live/accuracy")
      );
      section.append(
        element("h3", name),
        element("h4", "The paper account, as it trades"),
        place("p", `p.${name}.verdict`, "note-text"), bars, account,
        element("h4", "If one were in and out each bar"),
        place("p", `p.${name}.each`, "note-text")
      );
      if (forecaster) section.append(each);
      return section;
    }

    setCosts(costs) {
      for (const [name, bars] of Object.entries(costs)) {
        const host = [...document.querySelectorAll("#pays .bars")].find((node) => node.dataset.of === name);
        const traded = bars.some(([value]) => value !== 0);
        host?.replaceChildren(...(traded ? [Tickloop.profits(bars, name)] : []));
      }
    }

    setCurves(curves) {
      if (!Object.keys(curves).length) return;
      byId("curves").replaceChildren(Tickloop.calibration(curves));
      byId("curves-key").replaceChildren(...key(Object.keys(curves)));
    }

    drawEdges() {
      const names = namesOf(this.edges);
      const lines = names.flatMap((name, colour) => {
        const rows = [...this.edges.values()].filter((row) => row.name === name);
        const bound = (sign) =>
          new Map(rows.map(({ cycle, value, half }) => [cycle, half === null ? null : value + sign * half]));
        const thin = { colour, width: 1, style: L.LineStyle.Dotted, newestOnly: true };
        return [
          { key: name, colour, points: new Map(rows.map(({ cycle, value }) => [cycle, value])) },
          { key: `${name} above`, points: bound(1), ...thin },
          { key: `${name} below`, points: bound(-1), ...thin },
        ];
      });
      this.edgeChart.show(lines);
      byId("edges-key").replaceChildren(...key(names));
    }

    drawBets() {
      const names = namesOf(this.bets);
      const lines = names.flatMap((name, colour) => {
        const rows = [...this.bets.values()].filter((row) => row.name === name);
        const of = (key) => new Map(rows.map((row) => [row.cycle, row[key]]));
        return [
          { key: name, colour, points: of("value") },
          { key: `${name} needed`, colour, width: 1, style: L.LineStyle.LargeDashed, points: of("threshold") },
        ];
      });
      this.betChart.show(lines);
      byId("bets-key").replaceChildren(...key(names));
    }

    recolour() {
      this.edgeChart.recolour();
      this.betChart.recolour();
    }
  }

  Tickloop.EvidenceView = EvidenceView;
})();

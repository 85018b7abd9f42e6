/* The evidence tab: the table of scores, and figures by learner. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element, place, key } = Tickloop;
  const WINDOWS = { "live/10m/": "10 min", "live/1h/": "1 h", "live/": "session" };
  const COLUMNS = ["accuracy", "log_loss", "edge", "pnl_bps"];

  class EvidenceView {
    constructor(panel) {
      this.panel = panel;
      this.edges = new Map();
      this.bets = new Map();
      this.edgeChart = new Tickloop.CycleChart("edges", (value) => value.toFixed(4));
      this.betChart = new Tickloop.CycleChart("bets", (value) => value.toFixed(2));
      const head = COLUMNS.flatMap(() => Object.values(WINDOWS).map((name) => element("th", name, "n")));
      for (const cell of head) cell.scope = "col";
      byId("windows").replaceChildren(...head);
    }

    /* A new connection: of another symbol, nothing is kept. */
    begin() {
      this.edges.clear();
      this.bets.clear();
    }

    take({ scores, curves, costs, edges, bets }) {
      if (scores) this.setScores(scores);
      for (const row of edges ?? []) this.edges.set(`${row[0]}/${row[1]}`, row);
      for (const row of bets ?? []) this.bets.set(`${row[0]}/${row[1]}`, row);
      const soon = (what, work) => Tickloop.whenOpen("view-evidence", what, work);
      if (curves) soon("curves", () => this.setCurves(curves));
      if (costs) soon("costs", () => this.setCosts(costs));
      if (edges) soon("edges", () => this.drawEdges());
      if (bets) soon("bets", () => this.drawBets());
    }

    setScores({ rows, ours, judged }) {
      const body = document.querySelector("#scores tbody");
      const of = (kind) => rows.filter((row) => row[1] === kind).map(([name]) => this.row(name, kind));
      const baselines = of("baseline");
      body.replaceChildren(...of("learner"), ...(baselines.length ? [this.divider()] : []), ...baselines);
      byId("pays").replaceChildren(...ours.map((name) => this.pays(name)));
      byId("verdicts").replaceChildren(...judged.map((name) => this.panel.sentence(`v.${name}`, name)));
      this.panel.find();
    }

    divider() {
      const row = element("tr", undefined, "divider");
      const head = element("th", "baselines, always on in the same ledger");
      head.colSpan = 2 + COLUMNS.length * Object.keys(WINDOWS).length;
      row.append(head);
      return row;
    }

    row(name, kind) {
      const row = element("tr", undefined, kind);
      const head = element("th", name);
      head.scope = "row";
      row.append(head, place("td", `e.${name}.scored`, "n"));
      for (const column of COLUMNS) {
        for (const prefix of Object.keys(WINDOWS)) row.append(place("td", `e.${name}.${prefix}${column}`, "n"));
      }
      return row;
    }

    pays(name) {
      const section = element("section");
      section.setAttribute("aria-label", `Break-even of ${name}`);
      const pairs = element("div", undefined, "pairs");
      pairs.append(
        this.panel.pair(`p.${name}.needed`, "accuracy needed", true),
        this.panel.pair(`p.${name}.reached`, "accuracy reached", true),
        this.panel.pair(`p.${name}.0`, "P&L at 0 × cost", true),
        this.panel.pair(`p.${name}.1`, "P&L at 1 × cost", true),
        this.panel.pair(`p.${name}.2`, "P&L at 2 × cost", true)
      );
      const bars = element("div", undefined, "bars");
      bars.dataset.of = name;
      section.append(element("h3", name), place("p", `p.${name}.verdict`, "said"), bars, pairs);
      return section;
    }

    setCosts(costs) {
      for (const [name, bars] of Object.entries(costs)) {
        const host = [...document.querySelectorAll("#pays .bars")].find((node) => node.dataset.of === name);
        host?.replaceChildren(Tickloop.profits(bars, name));
      }
    }

    setCurves(curves) {
      if (!Object.keys(curves).length) return;
      byId("curves").replaceChildren(Tickloop.calibration(curves));
      byId("curves-key").replaceChildren(...key(Object.keys(curves)));
    }

    drawEdges() {
      const names = [...new Set([...this.edges.values()].map(([name]) => name))];
      const lines = names.flatMap((name, colour) => {
        const mine = [...this.edges.values()].filter(([owner]) => owner === name);
        const bound = (sign) =>
          new Map(mine.map(([, cycle, value, half]) => [cycle, half === null ? null : value + sign * half]));
        const thin = { colour, width: 1, style: L.LineStyle.Dotted };
        return [
          { key: name, colour, points: new Map(mine.map(([, cycle, value]) => [cycle, value])) },
          { key: `${name} above`, points: bound(1), ...thin },
          { key: `${name} below`, points: bound(-1), ...thin },
        ];
      });
      this.edgeChart.show(lines);
      byId("edges-key").replaceChildren(...key(names));
    }

    drawBets() {
      const names = [...new Set([...this.bets.values()].map(([name]) => name))];
      const lines = names.flatMap((name, colour) => {
        const mine = [...this.bets.values()].filter(([owner]) => owner === name);
        const of = (at) => new Map(mine.map((row) => [row[1], row[at]]));
        return [
          { key: name, colour, points: of(2) },
          { key: `${name} needed`, colour, width: 1, style: L.LineStyle.Dashed, points: of(3) },
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

/* Sessions with their learners, and the registered models with the decisions about them. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element, place } = Tickloop;
  const TOP = ["session", "replay"];
  const NO_MODEL = "no model yet: Promote makes a version, and so does the end of a session";

  class RunsView {
    constructor(panel, controls, compare) {
      Object.assign(this, { panel, controls, compare, rows: new Map(), nodes: new Map(), changed: new Set() });
      this.filter = byId("runs-filter");
      this.filter.oninput = () => this.sift();
      byId("runs-tools").onsubmit = (event) => event.preventDefault();
      byId("runs-tick").onclick = () => this.compare.choose(this.fitting(), true);
      compare.onChoice = () => this.tick();
    }

    update({ runs, run_ids: ids, models, learners, symbol, session }) {
      Object.assign(this, models && { models }, learners && { learners });
      Object.assign(this, symbol && { symbol }, session && { session });
      if (ids) this.keep(new Set(ids));
      if (runs) {
        for (const row of runs) this.rows.set(row.id, row);
        for (const row of runs) this.changed.add(row.id);
        Tickloop.whenOpen("view-runs", "runs", () => this.draw());
      }
      if (models || learners) this.listModels();
    }

    /* The models of this market's learners, also of those that have none yet; the others folded. */
    listModels() {
      const { models = [], learners = [], symbol } = this;
      const registered = new Map(models.map((model) => [model.learner, model]));
      const ours = learners
        .filter((name) => !name.endsWith(".champion"))
        .map((name) => `${symbol}.${name}`)
        .map((learner) => registered.get(learner) ?? { name: "", learner, versions: [] });
      const others = models.filter((model) => !ours.includes(model));
      byId("models").replaceChildren(...ours.map((model) => this.model(model)));
      if (!ours.length) byId("models").append(element("p", NO_MODEL, "none"));
      const folded = byId("other-models");
      folded.hidden = !others.length;
      folded.firstElementChild.textContent = `Of other markets, sources and learners: ${others.length}`;
      folded.lastElementChild.replaceChildren(...others.map((model) => this.model(model)));
      this.panel.find();
      this.controls.enable();
    }

    /* Newest session first, each followed by its learners. */
    sorted() {
      const inMarket = ({ name }) => name.split(" ").reverse().join(" "); // market, then learner
      const start = (row) => this.rows.get(row.session)?.started ?? row.started;
      const depth = (row) => (TOP.includes(row.kind) ? 0 : 1);
      return [...this.rows.values()].sort(
        (a, b) =>
          start(b) - start(a) ||
          (a.session < b.session ? -1 : a.session > b.session ? 1 : 0) ||
          depth(a) - depth(b) ||
          (inMarket(a) < inMarket(b) ? -1 : 1)
      );
    }

    /* Forget runs that were deleted. */
    keep(ids) {
      for (const id of this.rows.keys()) {
        if (ids.has(id)) continue;
        this.nodes.get(id)?.remove();
        for (const kept of [this.rows, this.nodes, this.changed]) kept.delete(id);
      }
    }

    /* Make the rows that changed anew; the table and the choices only if there are more. */
    draw() {
      const known = [...this.changed].every((id) => this.nodes.has(id));
      for (const id of this.changed) {
        const [node, old] = [this.row(this.rows.get(id)), this.nodes.get(id)];
        const focused = old?.querySelector("input") === document.activeElement;
        old?.replaceWith(node);
        this.nodes.set(id, node);
        if (old && focused) node.querySelector("input").focus();
      }
      this.compare.follow(this.changed);
      this.changed.clear();
      if (!known) this.list();
      else this.sift();
    }

    list() {
      const sorted = this.sorted();
      byId("runs").replaceChildren(...sorted.map((row) => this.nodes.get(row.id)));
      this.compare.offer(new Map(this.named(sorted).map(({ id, label }) => [id, label])), this.pair(sorted));
      this.sift();
    }

    /* The runs that have every word of the filter. */
    fitting() {
      const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = ({ name, kind, status, note, id }) => {
        const text = `${name} ${kind} ${status} ${note} ${id}`.toLowerCase();
        return words.every((word) => text.includes(word));
      };
      return [...this.rows.values()].filter(fits).map(({ id }) => id);
    }

    sift() {
      const shown = new Set(this.fitting());
      for (const [id, node] of this.nodes) node.hidden = !shown.has(id);
      byId("runs-count").textContent = this.filter.value ? `${shown.size} of ${this.rows.size} runs` : `${this.rows.size} runs`;
    }

    /* Show which runs are compared. */
    tick() {
      for (const [id, node] of this.nodes) node.querySelector("input").checked = this.compare.chosen.has(id);
    }

    /* Runs with the names that they have in MLflow; those with the same one are told apart by their ids. */
    named(rows) {
      const count = new Map();
      for (const { run } of rows) count.set(run, (count.get(run) ?? 0) + 1);
      return rows.map(({ id, run }) => ({ id, label: count.get(run) > 1 ? `${run} · ${id.slice(0, 8)}` : run }));
    }

    /* This session's learner of this market, and itself in a session before of the same source and
       markets; else the learner beside it. */
    pair(sorted) {
      const learners = sorted.filter((row) => row.kind === "learner");
      const ours = learners.filter((row) => row.session === this.session);
      const here = ours.filter((row) => row.name.split(" ")[1] === this.symbol);
      const [one, beside] = here.length ? here : ours;
      if (!one) return [];
      const of = (row) => `${row.name} ${this.rows.get(row.session)?.name}`;
      const older = learners.slice(learners.indexOf(one) + 1);
      const before = older.find((row) => of(row) === of(one));
      return [one, before ?? beside].filter(Boolean).map(({ id }) => id);
    }

    row(row) {
      const line = element("tr", undefined, TOP.includes(row.kind) ? "top" : "");
      const head = element("th");
      head.scope = "row";
      head.append(this.box(row), row.name);
      head.title = row.name; // a tape's is long
      const status = element("span", row.status, "chip");
      status.dataset.s = row.status;
      const cell = element("td");
      cell.append(status);
      const link = element("td");
      link.append(Tickloop.runLink(row, row.id.slice(0, 8)));
      line.append(head, element("td", row.kind), cell, element("td", row.cycles, "n"));
      for (const text of row.scores) line.append(this.score(text));
      line.append(element("td", row.note, "about"), link);
      return line;
    }

    /* A text may take two lines, a number only one. */
    score(text) {
      return Tickloop.isNumber(text) ? element("td", text, "n") : element("td", Tickloop.together(text), "n no-number");
    }

    box({ id, run }) {
      const box = element("input");
      Object.assign(box, { type: "checkbox", checked: this.compare.chosen.has(id) });
      box.setAttribute("aria-label", `Compare ${run}`);
      box.onchange = () => this.compare.choose([id], box.checked);
      return box;
    }

    model({ name, learner, versions }) {
      const section = element("section", undefined, "model");
      const title = name || learner.slice(learner.lastIndexOf(".") + 1);
      section.setAttribute("aria-label", `Model ${title}`);
      const heading = element("h3");
      heading.append(name ? Tickloop.mlflowLink(`models/${encodeURIComponent(name)}`, name) : element("span", title));
      if (learner) heading.append(...this.decisions(name, title, learner));
      section.append(heading);
      if (learner) section.append(this.panel.sentence(`v.${learner}`, "verdict of the evidence"));
      section.append(...versions.map((version) => this.version(version)));
      if (!versions.length) section.append(element("p", NO_MODEL, "none"));
      return section;
    }

    decisions(name, title, learner) {
      const buttons = { promote: "Promote challenger", rollback: "Roll back champion" };
      return Object.entries(buttons).map(([control, text]) => {
        const button = element("button", text);
        button.type = "button";
        Object.assign(button.dataset, { ask: control, of: learner });
        button.setAttribute("aria-label", `${text} of ${title}`);
        button.onclick = () => {
          if (!this.controls.tellWhyNot(button)) Tickloop.decide(control, name, learner, this.controls);
        };
        return button;
      });
    }

    version({ version, run, experiment, created, aliases, audit }) {
      const entry = element("div", undefined, "version");
      const head = element("p");
      head.append(element("b", `version ${version}`));
      for (const alias of aliases) {
        const chip = element("span", alias, "chip");
        chip.dataset.s = alias;
        head.append(chip);
      }
      head.append(element("span", `registered ${created} UTC`), Tickloop.runLink({ id: run, experiment }, "run in MLflow"));
      const record = element("ol");
      record.append(...audit.map((text) => element("li", text)));
      if (!audit.length) record.append(element("li", "no audit record yet", "none"));
      entry.append(head, record);
      return entry;
    }
  }

  Tickloop.RunsView = RunsView;
})();

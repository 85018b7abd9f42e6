/* The small card of one training cycle: what each learner logged in it, and its MLflow run. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;

  /* A link into MLflow's own UI, or the bare id where it does not run. */
  Tickloop.runLink = (run, text) => {
    const base = Tickloop.mlflow;
    if (!base) return element("code", run.slice(0, 8));
    const link = element("a", text);
    link.href = `${base}/#/runs/${encodeURIComponent(run)}`;
    link.target = "_blank";
    link.rel = "noopener";
    return link;
  };

  class CycleCard {
    constructor(marks) {
      this.marks = marks; // returns the chart's cycles
      this.dialog = byId("cycle-card");
      byId("cycle-close").onclick = () => this.close();
      byId("cycle-before").onclick = () => this.step(-1);
      byId("cycle-after").onclick = () => this.step(1);
      byId("cycles-open").onclick = () => this.open(Math.max(...this.cycles()));
      document.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && this.dialog.open) this.close();
      });
    }

    cycles() {
      return [...this.marks().keys()].sort((a, b) => a - b);
    }

    open(cycle, point) {
      if (!this.dialog.open) this.opener = document.activeElement;
      const frame = this.dialog.parentElement;
      const left = point ? Math.min(point.x + 12, frame.clientWidth - this.dialog.offsetWidth - 320) : 12;
      this.dialog.style.left = `${Math.max(8, left)}px`;
      this.dialog.show();
      byId("cycle-close").focus();
      this.show(cycle);
    }

    close() {
      this.dialog.close();
      this.opener?.focus?.();
    }

    step(by) {
      const cycles = this.cycles();
      const at = cycles.indexOf(this.cycle) + by;
      if (cycles[at] !== undefined) this.show(cycles[at]);
    }

    async show(cycle) {
      this.cycle = cycle;
      byId("cycle-title").textContent = `Training cycle ${cycle}`;
      const body = byId("cycle-body");
      body.replaceChildren(element("p", "asking MLflow …", "none"));
      const query = new URLSearchParams({ symbol: Tickloop.connection.symbol, cycle });
      const answer = await Tickloop.request(`live/cycle?${query}`);
      if (cycle !== this.cycle) return; // another one was opened meanwhile
      if (answer.error) return body.replaceChildren(element("p", answer.error, "none"));
      body.replaceChildren(...answer.map((learner) => this.learner(learner)));
    }

    learner({ learner, run, lines }) {
      const section = element("section");
      const heading = element("h3", learner);
      heading.append(Tickloop.runLink(run, "run in MLflow"));
      const list = element("dl");
      for (const [label, text] of lines) list.append(element("dt", label), element("dd", text));
      section.append(heading, lines.length ? list : element("p", "nothing logged in this cycle", "none"));
      return section;
    }
  }

  Tickloop.CycleCard = CycleCard;
})();

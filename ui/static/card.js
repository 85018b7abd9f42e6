/* The small card of one training cycle: what each learner logged in it, and its MLflow run. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;

  /* A link into MLflow's own UI, or only the text where it does not run. Without workflowType it
     opens its GenAI view at first; an address without the experiment loses what stands behind it. */
  Tickloop.mlflowLink = (path, text) => {
    if (!Tickloop.mlflow) return element("span", text);
    const link = element("a", text);
    link.href = `${Tickloop.mlflow}/#/${path}?workflowType=machine_learning`;
    link.target = "_blank";
    link.rel = "noopener";
    return link;
  };

  Tickloop.runLink = ({ experiment, id }, text) => {
    if (!Tickloop.mlflow) return element("code", id.slice(0, 8));
    const within = experiment ? `experiments/${encodeURIComponent(experiment)}/` : "";
    return Tickloop.mlflowLink(`${within}runs/${encodeURIComponent(id)}`, text);
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
      this.dialog.show();
      const left = point ? Math.min(point.x + 12, frame.clientWidth - this.dialog.offsetWidth - 8) : 12;
      this.dialog.style.left = `${Math.max(8, left)}px`;
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

    learner({ learner, run, experiment, lines }) {
      const section = element("section");
      const heading = element("h3", learner);
      heading.append(Tickloop.runLink({ id: run, experiment }, "run in MLflow"));
      const list = element("dl");
      for (const [label, text] of lines) list.append(element("dt", label), element("dd", text));
      section.append(heading, lines.length ? list : element("p", "nothing logged in this cycle", "none"));
      return section;
    }
  }

  Tickloop.CycleCard = CycleCard;
})();

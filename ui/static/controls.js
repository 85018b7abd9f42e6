/* Controls: a click asks the page's server, which writes a tag in MLflow; what becomes of it comes
   back over the connection, the same to every viewer. What cannot be asked for says why. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const NAMES = {
    start: "Start",
    pause: "Pause",
    resume: "Resume",
    train_now: "Train now",
    stop: "Stop",
    learning_rate: "Learning rate",
    epsilon: "Epsilon",
    confidence: "Confidence",
    promote: "Promote",
    rollback: "Roll back",
  };
  const NEWEST = 2; // requests that are shown at once

  const STOP = [
    "Training ends, and with it the session, for every viewer. Its record, its metrics and its models stay.",
    'To go on later: make ARGS="--resume last" in a terminal.',
  ];

  class Controls {
    constructor() {
      this.states = new Map();
      this.errors = new Map();
      this.asked = {};
      this.cannot = {};
      for (const button of document.querySelectorAll("#controls > .buttons [data-ask]")) {
        button.onclick = () => this.click(button);
      }
      this.fields = new Tickloop.Fields((name, value) => this.send(name, value));
      Tickloop.time.onChange(() => this.list());
    }

    async click(button) {
      const name = button.dataset.ask;
      if (this.tellWhyNot(button)) return;
      if (name === "stop" && !(await Tickloop.confirm("Stop the session?", STOP, "Stop"))) return;
      this.send(name, "1");
    }

    /* Say in its card why a button does nothing; returns whether it does nothing. */
    tellWhyNot(button) {
      const idle = button.ariaDisabled === "true";
      const why = idle ? `${button.textContent}: ${button.title}` : "";
      button.closest(".card").querySelector(".why-not").textContent = why;
      return idle;
    }

    async send(name, value) {
      byId("why-not").textContent = "";
      this.errors.set(name, "asking …");
      this.list();
      const answer = await Tickloop.request("live/control", { name, value });
      if (answer.error) this.errors.set(name, `not requested: ${answer.error}`);
      else this.errors.delete(name);
      this.list();
    }

    /* Show what became of a request. */
    put(name, text) {
      this.states.set(name, text);
      if (!text.startsWith("requested")) this.fields.take(name);
      this.list();
    }

    update({ asked, cannot, values, paused }) {
      if (asked) this.asked = asked;
      if (values) this.fields.show(values);
      if (paused !== undefined) this.toggle(paused);
      if (cannot) this.cannot = cannot;
      if (asked) this.list();
      if (cannot || paused !== undefined) this.enable();
    }

    /* One button: Pause while training runs, else Resume. */
    toggle(paused) {
      this.paused = paused;
      const button = byId("pause");
      button.dataset.ask = paused ? "resume" : "pause";
      button.textContent = NAMES[button.dataset.ask];
    }

    /* Mark what cannot be asked for; such a button keeps the focus, so that its reason can be read. */
    enable() {
      for (const node of document.querySelectorAll("[data-ask]:is(button, form)")) {
        const { ask, of = "" } = node.dataset;
        const reason = this.cannot[`${ask} ${of}`] ?? this.cannot[ask] ?? "";
        for (const part of node.matches("form") ? node.elements : [node]) {
          part.ariaDisabled = reason ? "true" : "false";
          part.title = reason;
          if (part.matches("input")) part.readOnly = reason !== "";
        }
      }
    }

    list() {
      for (const host of document.querySelectorAll(".control-states")) {
        const only = host.dataset.only?.split(" ");
        const items = this.items(only ?? Object.keys(NAMES));
        host.replaceChildren(...items.slice(0, NEWEST), ...this.earlier(items.slice(NEWEST)));
      }
    }

    /* The newest first. */
    items(names) {
      const at = (name) => (this.errors.has(name) ? Infinity : (this.asked[name]?.[1] ?? 0));
      return names
        .filter((name) => this.errors.get(name) || this.states.get(name))
        .sort((a, b) => at(b) - at(a))
        .map((name) => this.item(name));
    }

    item(name) {
      const text = this.errors.get(name) || this.states.get(name);
      const item = element("li");
      item.dataset.control = name;
      item.append(element("b", NAMES[name]), element("span", text, text.split(/[ :]/)[0]));
      const [by, ts] = this.asked[name] ?? ["", 0];
      if (!this.errors.has(name) && ts) {
        item.append(element("small", [by, Tickloop.time.clock(ts)].filter(Boolean).join(", ")));
      }
      return item;
    }

    earlier(items) {
      if (!items.length) return [];
      const open = document.querySelector(".control-states details")?.open ?? false;
      const [item, details, list] = [element("li"), element("details"), element("ul")];
      details.open = open;
      list.append(...items);
      details.append(element("summary", `${items.length} earlier`), list);
      item.append(details);
      return [item];
    }
  }

  Tickloop.Controls = Controls;
})();

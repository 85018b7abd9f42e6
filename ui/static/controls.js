/* Controls: a click asks the page's server, which writes a tag in MLflow; the trainer's result comes
   back over the connection, the same to every viewer. */
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
  const EFFECTS = {
    stop: "Training ends and the session with it. It goes on with make ARGS=\"--resume last\", or from a page of its own.",
  };

  /* Send a request to the server; a failure has its text in `error`. */
  Tickloop.request = async (address, body, method = "POST") => {
    const options = body && {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    try {
      const answer = await fetch(address, options);
      const result = await answer.json().catch(() => ({ detail: answer.statusText }));
      return answer.ok ? result : { error: textOf(result.detail ?? answer.statusText) };
    } catch {
      return { error: "the page's server does not answer" };
    }
  };

  const textOf = (detail) => (typeof detail === "string" ? detail : "refused: not a value");

  class Controls {
    constructor() {
      this.states = new Map();
      this.errors = new Map();
      for (const button of document.querySelectorAll("button[data-ask]")) {
        button.onclick = () => this.click(button.dataset.ask);
      }
      for (const form of document.querySelectorAll("form[data-ask]")) {
        form.onsubmit = (event) => {
          event.preventDefault();
          const value = form.elements.value.value.trim();
          if (value) this.send(form.dataset.ask, value);
        };
      }
    }

    async click(name) {
      if (EFFECTS[name] && !(await Tickloop.confirm(`${NAMES[name]}?`, EFFECTS[name], NAMES[name]))) return;
      this.send(name, "1");
    }

    async send(name, value) {
      this.errors.set(name, "asking …");
      this.list();
      const answer = await Tickloop.request("live/control", { name, value });
      if (answer.error) this.errors.set(name, `not requested: ${answer.error}`);
      else this.errors.delete(name);
      this.list();
    }

    /* Show the state of a control. */
    put(name, text) {
      this.states.set(name, text);
      this.list();
    }

    list() {
      for (const host of document.querySelectorAll(".control-states")) {
        const only = host.dataset.only?.split(" ") ?? Object.keys(NAMES);
        host.replaceChildren(...this.items(only));
      }
    }

    items(names) {
      return names.flatMap((name) => {
        const text = this.errors.get(name) || this.states.get(name);
        if (!text) return [];
        const item = element("li");
        item.dataset.control = name;
        item.append(element("b", NAMES[name]), element("span", text, text.split(/[ :]/)[0]));
        return [item];
      });
    }

    setRunning(running = this.running) {
      this.running = running;
      const all = "button[data-ask], form[data-ask] button, form[data-ask] input";
      for (const node of document.querySelectorAll(all)) node.disabled = !running;
      document.querySelector('[data-ask="start"]').disabled = running;
    }

    setPaused(paused) {
      document.querySelector('[data-ask="pause"]').setAttribute("aria-pressed", paused);
      document.querySelector('[data-ask="resume"]').setAttribute("aria-pressed", !paused);
    }
  }

  /* Open a dialog; resolves to whether it was confirmed. Escape leaves things as they are. */
  Tickloop.confirm = (title, text, yes) =>
    new Promise((resolve) => {
      const dialog = byId("confirm");
      byId("confirm-title").textContent = title;
      byId("confirm-text").textContent = text;
      byId("confirm-yes").textContent = yes;
      byId("confirm-yes").onclick = () => dialog.close("yes");
      byId("confirm-no").onclick = () => dialog.close("no");
      dialog.onclose = () => resolve(dialog.returnValue === "yes");
      dialog.returnValue = "no";
      dialog.showModal();
      byId("confirm-no").focus();
    });

  Tickloop.Controls = Controls;
})();

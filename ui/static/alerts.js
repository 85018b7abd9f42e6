/* The alerts: rules with their states, where messages go, what fired. The page's connection brings a
   new revision when something has changed; everything is fetched then. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const ADDRESS = "live/alerts";
  const NAMES = { any: "any learner", stream: "stream", session: "session" };
  const utc = (seconds) => new Date(seconds * 1000).toISOString();

  const isOver = () => document.body.classList.contains("tl-over");

  const chip = (phase, text = phase) => {
    const made = element("span", text, "chip");
    made.dataset.s = phase;
    return made;
  };

  /* A time, for people and for machines. */
  const time = (seconds, form = "full") => {
    const made = element("time", Tickloop.time[form](seconds));
    made.dateTime = utc(seconds);
    return made;
  };

  /* Rules that many want: who, what, how, value, minutes. */
  const EXAMPLES = [
    ["any", "live/edge", "<", "0", "10"],
    ["any", "live/drawdown", ">", "50", ""],
    ["any", "live/missed_rate", ">", "0.01", "1"],
    ["stream", "lag_ms", ">", "1000", "1"],
    ["stream", "gaps", "rises", "", ""],
    ["any", "state", "is", "failed", ""],
  ];

  class AlertsView {
    constructor() {
      this.form = byId("rule");
      this.form.onsubmit = (event) => this.add(event);
      this.form.elements.example.onchange = (event) => this.fill(event.target);
      this.offerExamples();
      Tickloop.time.onChange(() => this.load());
      this.form.elements.who.onchange = () => this.offerSamples();
      this.form.elements.what.oninput = () => this.offerOperators();
      this.form.elements.how.onchange = () => this.hideUnused();
      this.form.elements.what.onfocus = ({ target }) => target.select();
      byId("address").onsubmit = (event) => this.save(event);
      byId("address-test").onclick = () => this.test();
      this.notifier = new Tickloop.Notifier();
      byId("address-remove").onclick = () => this.setAddress("");
    }

    offerExamples() {
      const name = ([who, what, how, value, minutes]) =>
        [NAMES[who], what, how, value, minutes && `for ${minutes} min`].filter(Boolean).join(" ");
      this.form.elements.example.append(...EXAMPLES.map((rule, i) => new Option(name(rule), i)));
    }

    /* Put an example into the fields, to be changed and added. */
    fill(select) {
      const [who, what, how, value, minutes] = EXAMPLES[select.value] ?? [];
      select.value = "";
      if (!who) return;
      const fields = this.form.elements;
      fields.who.value = who;
      fields.what.value = what;
      this.offerSamples();
      fields.how.value = how;
      fields.value.value = value;
      fields.stays.value = minutes;
      fields.unit.value = "60";
      this.hideUnused();
    }

    /* One request at a time, and one more for what has changed meanwhile: of two answers on their way
       the older one could come last, and would stay. */
    load() {
      this.changed = true;
      this.loading ??= this.loadAll().finally(() => (this.loading = null));
      return this.loading;
    }

    async loadAll() {
      while (this.changed) {
        this.changed = false;
        this.show(await Tickloop.request(ADDRESS));
      }
    }

    show(alerts) {
      if (alerts.error) return; // the page shows itself that its connection is lost
      byId("alerts-broken").hidden = !alerts.broken;
      byId("alerts-broken").textContent = alerts.broken;
      for (const zone of document.querySelectorAll("#view-alerts .zone")) zone.textContent = Tickloop.time.zone();
      this.offer(alerts.choices);
      const rules = alerts.rules.map((rule) => this.rule(rule));
      if (!rules.length) rules.push(element("li", "no rules: nothing is watched", "none"));
      byId("alert-rules").replaceChildren(...rules);
      byId("alert-history").replaceChildren(...alerts.history.map((line) => this.line(line)));
      byId("alert-none").hidden = alerts.history.length > 0;
      this.showSending(alerts);
      this.notifier.tell(alerts.history, alerts.session);
    }

    /* ---- rules */

    rule(rule) {
      const item = element("li");
      item.dataset.rule = rule.id;
      const about = element("span", rule.whose, "about");
      const over = rule.phase === "waiting" && isOver();
      if (rule.phase === "waiting") about.textContent = over ? "not looked at: this session is over" : "nothing to compare with yet";
      else if (rule.since && rule.phase !== "quiet") {
        about.append(rule.whose ? " since " : "since ", time(rule.since, "clock"));
      }
      const buttons = element("span", undefined, "buttons for-operator");
      buttons.append(this.toggle(rule), this.remover(rule));
      item.append(chip(over ? "ended" : rule.phase), element("b", rule.text), about, buttons);
      return item;
    }

    toggle(rule) {
      const button = element("button", rule.on ? "Switch off" : "Switch on");
      button.type = "button";
      button.setAttribute("aria-label", `${button.textContent}: ${rule.text}`);
      button.onclick = () => this.send(`${ADDRESS}/rules/${rule.id}`, { on: !rule.on }, "PATCH");
      return button;
    }

    remover(rule) {
      const button = element("button", "Remove", "danger");
      button.type = "button";
      button.setAttribute("aria-label", `Remove: ${rule.text}`);
      button.onclick = () => this.send(`${ADDRESS}/rules/${rule.id}`, {}, "DELETE");
      return button;
    }

    async add(event) {
      event.preventDefault();
      const { who, what, how, value, stays, unit } = this.form.elements;
      const seconds = Number(stays.value.replace(",", ".")) * Number(unit.value);
      if (Number.isNaN(seconds)) return this.refuse(`For: got "${stays.value}"; allowed: a number`);
      const rule = { who: who.value, what: what.value, how: how.value, value: value.value || "0", seconds };
      if (await this.send(`${ADDRESS}/rules`, rule)) this.form.elements.value.value = stays.value = "";
    }

    /* Change something; resolves to whether it was. */
    async send(address, body, method) {
      const answer = await Tickloop.request(address, body, method);
      this.refuse(answer.error ?? "");
      if (!answer.error) await this.load();
      return !answer.error;
    }

    refuse(text) {
      byId("rule-error").textContent = text;
    }

    /* ---- what the form offers */

    offer(choices) {
      if (!this.choices) this.form.elements.what.value = "live/edge";
      this.choices = choices;
      const { who } = this.form.elements;
      const chosen = who.value || "any";
      who.replaceChildren(...Object.keys(choices.what).map((name) => new Option(NAMES[name] ?? name, name)));
      who.value = choices.what[chosen] ? chosen : "any";
      this.offerSamples();
    }

    offerSamples() {
      const { who } = this.form.elements;
      byId("alert-samples").replaceChildren(...this.choices.what[who.value].map((name) => new Option(name, name)));
      this.offerOperators();
    }

    offerOperators() {
      const { what, how } = this.form.elements;
      const sample = what.value.trim();
      const operators = this.choices.how[sample] ?? this.choices.how[""];
      const chosen = how.value;
      how.replaceChildren(...operators.map((name) => new Option(name, name)));
      if (operators.includes(chosen)) how.value = chosen;
      const values = this.choices.value[sample] ?? [];
      byId("alert-values").replaceChildren(...values.map((name) => new Option(name, name)));
      this.hideUnused();
    }

    hideUnused() {
      const { what, how, value, stays } = this.form.elements;
      const atOnce = this.choices.at_once.includes(how.value);
      value.closest("label").hidden = atOnce;
      stays.closest("label").hidden = atOnce || what.value.trim() === "event";
    }

    /* ---- messages */

    showSending({ address, sending }) {
      const service = byId("alerts-service");
      service.textContent = address || "no address";
      service.dataset.s = address ? "ON" : "OFF";
      const [sent, failed] = [`${sending.sent} sent`, `${sending.failed} not sent`];
      const counts = `${sent}, ${failed} since the page began`;
      const none = "Alerts are shown here; give an address to have them sent as well.";
      const newest = sending.last_failure ? `; the newest failure: ${sending.last_failure}` : "";
      byId("alerts-sending").textContent = address ? counts + newest : none;
      for (const id of ["address-test", "address-remove"]) byId(id).disabled = !address;
    }

    save(event) {
      event.preventDefault();
      const { address } = event.target.elements;
      if (address.value.trim()) this.setAddress(address.value);
      else this.note("type an address first");
    }

    async setAddress(address) {
      const answer = await Tickloop.request(`${ADDRESS}/address`, { address }, "PUT");
      if (!answer.error) byId("address").reset();
      this.note(answer.error ?? (address ? `saved: ${answer.address}` : "removed: alerts are only shown here"));
      this.load();
    }

    async test() {
      this.note("sending a test message …");
      const answer = await Tickloop.request(`${ADDRESS}/test`, {});
      this.note(answer.error ?? `test message ${answer.outcome}`);
      this.load();
    }

    note(text) {
      byId("address-note").textContent = text;
    }

    /* ---- history */

    line({ at, phase, rule, text, sent }) {
      const row = element("tr");
      const [when, state] = [element("td", undefined, "n"), element("td")];
      when.append(time(at));
      state.append(chip(phase, phase === "firing" ? "fired" : phase)); // it may be over by now
      row.append(when, state, element("td", rule), element("td", text), element("td", sent));
      return row;
    }
  }

  Tickloop.AlertsView = AlertsView;
})();

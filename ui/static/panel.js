/* Texts by key, the learners' cards, the last events. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element, place } = Tickloop;
  const FEW = /^n = /; // a score of few samples, which is not bold
  const NUMBER = /^[-+\d]/; // a text that begins otherwise is prose, such as "not known yet"

  Tickloop.isNumber = (text) => NUMBER.test(text);

  class Panel {
    constructor() {
      this.texts = new Map();
      this.events = [];
      Tickloop.time.onChange(() => this.setEvents());
      this.find();
    }

    find() {
      this.places = new Map();
      for (const node of document.querySelectorAll("[data-k]")) {
        const key = node.dataset.k;
        this.places.set(key, [...(this.places.get(key) ?? []), node]);
        if (this.texts.has(key)) this.write(node, this.texts.get(key));
      }
    }

    put(key, text) {
      this.texts.set(key, text);
      for (const node of this.places.get(key) ?? []) this.write(node, text);
      if (key === "change") {
        const direction = { "+": "up", "-": "down" }[text[0]] ?? "";
        for (const node of this.places.get("change")) node.className = `change ${direction}`;
      }
    }

    write(node, text) {
      if (node.classList.contains("prose")) text = Tickloop.together(text);
      if (node.textContent !== text) node.textContent = text;
      if (node.classList.contains("chip")) node.dataset.s = text;
      else {
        const warning = text.startsWith("⚠ ");
        node.classList.toggle("warning", warning);
        node.classList.toggle("few", FEW.test(text));
        node.classList.toggle("no-number", !NUMBER.test(warning ? text.slice(2) : text));
      }
    }

    setCards(cards) {
      byId("cards").replaceChildren(...cards.map((card) => this.card(card)));
      this.find();
    }

    card({ id, title, lines }) {
      const section = element("section", undefined, "card");
      section.setAttribute("aria-label", title);
      const [heading, name] = [element("h2"), element("span", title)];
      name.append(place("span", `${id}.as_of`, "as-of"));
      heading.append(name, place("span", `${id}.status`, "chip"));
      const [{ key, label }, ...others] = lines;
      const headline = element("div", undefined, "headline");
      const caption = Tickloop.label("span", label, Tickloop.termOf(key));
      caption.classList.add("caption");
      headline.append(caption, place("strong", key), place("span", `${id}.note`, "note"));
      const pairs = element("div", undefined, "pairs");
      for (const line of others) pairs.append(this.pair(line.key, line.label, line.wide));
      const foot = element("p", undefined, "foot both");
      const champion = element("span");
      champion.append(Tickloop.label("span", "Champion", "champion"), ": ");
      champion.append(place("span", `${id}.champion`));
      foot.append(place("span", `${id}.text`), champion);
      section.append(heading, headline, pairs, foot);
      Tickloop.help?.offer(section);
      return section;
    }

    pair(key, label, wide, term = Tickloop.termOf(key)) {
      const pair = element("div", undefined, wide ? "wide" : "");
      const [name, detail] = label.split(/ (?=\()/);
      const caption = Tickloop.label("span", name, term);
      if (detail) caption.append(" ", element("span", detail, "detail"));
      pair.append(caption, place("b", key));
      return pair;
    }

    /* A label, and a text that may be long. */
    sentence(key, label) {
      const sentence = element("p", undefined, "sentence");
      sentence.append(element("span", `${label}: `), place("b", key));
      return sentence;
    }

    setEvents(events = this.events) {
      this.events = events;
      byId("events-zone").textContent = Tickloop.time.zone();
      const items = events.map(({ ts, code, text }) => {
        const time = element("time", Tickloop.time.clock(ts));
        time.dateTime = new Date(ts * 1000).toISOString();
        const item = element("li");
        item.dataset.code = code;
        const label = element("span", text);
        label.title = text; // only the beginning of a long one is shown
        item.append(time, label);
        return item;
      });
      if (!items.length) {
        const none = element("li", "none");
        none.append(element("span", " yet: promotions, gaps and faults are told here", "while-it-runs"));
        items.push(none);
      }
      byId("events").replaceChildren(...items);
    }
  }

  Tickloop.Panel = Panel;
})();

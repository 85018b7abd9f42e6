/* Everything but the candles: texts by key, learner cards, the mini chart, the last events.
   Names and texts come from runs and tags that anyone may have written: they are only ever
   assigned to textContent, never parsed. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  /* An element that shows the text of `key`. */
  const place = (tag, key, className) => {
    const made = element(tag, "", className);
    made.dataset.k = key;
    return made;
  };

  class Panel {
    constructor() {
      this.find();
    }

    find() {
      this.places = new Map();
      for (const node of document.querySelectorAll("[data-k]")) {
        const key = node.dataset.k;
        this.places.set(key, [...(this.places.get(key) ?? []), node]);
      }
    }

    put(key, text) {
      for (const node of this.places.get(key) ?? []) {
        if (node.textContent !== text) node.textContent = text;
        if (node.classList.contains("chip")) node.dataset.s = text;
        else node.classList.toggle("words", !/^[-+\d]/.test(text)); // not a number, or not yet
      }
      if (key === "change") {
        const direction = { "+": "up", "-": "down" }[text[0]] ?? "";
        for (const node of this.places.get("price")) node.className = `price ${direction}`;
      }
    }

    setCards(cards) {
      document.getElementById("cards").replaceChildren(...cards.map((card) => this.card(card)));
      this.find();
    }

    card({ id, title, lines }) {
      const section = element("section", undefined, "card");
      section.setAttribute("aria-label", title);
      const heading = element("h2", title);
      heading.append(place("span", `${id}.status`, "chip"));
      const [[key, label], ...others] = lines;
      const headline = element("div", undefined, "headline");
      const caption = element("span", label, "caption");
      headline.append(caption, place("strong", key), place("span", `${id}.note`, "note"));
      const list = element("dl");
      for (const [each, name] of others) list.append(element("dt", name), place("dd", each));
      section.append(heading, headline, list, place("p", `${id}.text`, "foot"));
      return section;
    }

    setEvents(events) {
      const items = events.map(([ts, text]) => {
        const at = new Date(ts * 1000);
        const time = element("time", at.toISOString().slice(11, 19));
        time.dateTime = at.toISOString();
        const item = element("li");
        item.append(time, element("span", text));
        return item;
      });
      document.getElementById("events").replaceChildren(...items);
    }
  }

  /* Accuracy and win rate by cycle; the time axis counts cycles. */
  class Mini {
    constructor() {
      this.chart = L.createChart(document.getElementById("mini"), {
        autoSize: true,
        rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.15, bottom: 0.1 } },
        timeScale: {
          borderVisible: false,
          tickMarkFormatter: (cycle) => `#${cycle}`,
          minBarSpacing: 0.2,
        },
        localization: { timeFormatter: (cycle) => `cycle ${cycle}` },
        handleScroll: false,
        handleScale: false,
      });
      const priceFormat = { type: "custom", formatter: (value) => `${value.toFixed(0)} %`, minMove: 1 };
      const options = { lineWidth: 2, priceFormat, priceLineVisible: false };
      this.accuracy = this.chart.addSeries(L.LineSeries, options);
      this.winRate = this.chart.addSeries(L.LineSeries, options);
      this.recolour();
      this.set([]);
    }

    set(cycles) {
      this.cycles = new Map();
      this.add(cycles);
    }

    /* Cycles are few: each change sets them all. */
    add(cycles) {
      for (const [cycle, accuracy, winRate] of cycles) this.cycles.set(cycle, [accuracy, winRate]);
      const points = (which) =>
        [...this.cycles].map(([time, values]) =>
          values[which] === null ? { time } : { time, value: 100 * values[which] }
        );
      this.accuracy.setData(points(0));
      this.winRate.setData(points(1));
      this.chart.timeScale().fitContent();
      document.getElementById("mini-empty").hidden = this.cycles.size > 0;
    }

    recolour() {
      this.chart.applyOptions(Tickloop.look(false));
      this.accuracy.applyOptions({ color: Tickloop.colour("b") });
      this.winRate.applyOptions({ color: Tickloop.colour("a") });
    }
  }

  Tickloop.Panel = Panel;
  Tickloop.Mini = Mini;
})();

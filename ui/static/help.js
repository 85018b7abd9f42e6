/* What the labels mean: a box at a label under the mouse; a button in each card for all of its own,
   by keyboard too. The words are those of ui/views/glossary.py. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const DELAY_MS = 350;
  const METRIC = /(?:live|train|stream|promotion)\/.*/;

  /* The metric in the key of a text, as the glossary names it; empty if there is none. */
  Tickloop.termOf = (key) =>
    (METRIC.exec(key)?.[0] ?? "").replace(/^live\/(10m|1h)\//, "live/").replace(/_ci$/, "");

  /* A label that can be asked about. */
  Tickloop.label = (tag, text, term) => {
    const made = element(tag, text, term ? "term" : "");
    if (term) made.dataset.term = term;
    return made;
  };

  class Help {
    constructor() {
      this.box = byId("help");
      document.addEventListener("mouseover", ({ target }) => this.wait(target.closest?.("[data-term]")));
      document.addEventListener("click", (event) => this.click(event));
      document.addEventListener("keydown", ({ key }) => key === "Escape" && this.close());
      this.box.addEventListener("mouseleave", () => !this.opener && this.close());
      for (const card of document.querySelectorAll(".card")) this.offer(card);
    }

    /* Put the button into a card that has labels. */
    offer(card) {
      const heading = card.querySelector("h2");
      if (!heading || !card.querySelector("[data-term]") || heading.querySelector(".help")) return;
      const button = element("button", "?", "help");
      button.type = "button";
      button.setAttribute("aria-label", `Help: ${card.getAttribute("aria-label")}`);
      button.setAttribute("aria-haspopup", "dialog");
      heading.append(button);
    }

    wait(label) {
      clearTimeout(this.timer);
      if (this.opener) return;
      if (label) this.timer = setTimeout(() => this.show([label], label), DELAY_MS);
      else if (!this.box.matches(":hover")) this.timer = setTimeout(() => !this.box.matches(":hover") && this.close(), DELAY_MS);
    }

    click({ target }) {
      const button = target.closest(".help");
      const label = target.closest("[data-term]");
      if (button) {
        const card = button.closest(".card");
        this.opener = button;
        this.show([...card.querySelectorAll("[data-term]")], button);
      } else if (label && !target.closest("button, input")) this.show([label], label);
      else if (!target.closest("#help")) this.close();
    }

    async show(labels, beside) {
      clearTimeout(this.timer);
      this.terms ??= await Tickloop.request("live/glossary.json");
      const seen = new Map(labels.map((label) => [label.dataset.term, label.textContent.trim()]));
      const parts = [...seen].flatMap(([term, label]) => this.parts(term, label));
      this.box.replaceChildren(...parts);
      this.box.hidden = false;
      this.place(beside.getBoundingClientRect());
      if (this.opener) this.box.focus();
    }

    parts(term, label) {
      const [unit, meaning] = this.terms[term] ?? ["", "A number that the learner reports."];
      const [name, text] = [element("h3", label), element("p", meaning.replaceAll("`", ""))];
      const more = element("p", unit ? `Unit: ${unit}. ` : "", "foot");
      const link = element("a", `${term} in the glossary`);
      link.href = `live/glossary#${encodeURIComponent(term)}`;
      link.target = "_blank";
      link.rel = "noopener";
      more.append(link);
      return [name, text, more];
    }

    /* Under the label if there is room, within the window. */
    place({ left, bottom, top }) {
      const { offsetWidth: width, offsetHeight: height } = this.box;
      const below = bottom + height + 8 < innerHeight;
      this.box.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
      this.box.style.top = `${Math.max(8, below ? bottom + 4 : top - height - 4)}px`;
    }

    close() {
      this.box.hidden = true;
      this.opener?.focus();
      this.opener = null;
    }
  }

  Tickloop.Help = Help;
})();

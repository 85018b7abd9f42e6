/* Promote and roll back: what becomes what is asked for and shown before anything is done. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { element } = Tickloop;
  const TITLES = { promote: "Promote", rollback: "Roll back the champion of" };

  const table = (columns, rows) => {
    const [made, head, body] = [element("table"), element("thead"), element("tbody")];
    const line = (cells, tag) => {
      const row = element("tr");
      row.append(...cells.map((text, i) => element(i ? tag : "th", text, i > 1 ? "n" : "")));
      return row;
    };
    head.append(line(columns, "th"));
    body.append(...rows.map((cells) => line(cells, "td")));
    made.append(head, body);
    const scroll = element("div", undefined, "scroll");
    scroll.append(made);
    return scroll;
  };

  /* Ask for a decision about `whose`, SYMBOL.LEARNER, of which `model` is the registered model. */
  Tickloop.decide = async (control, model, whose, controls) => {
    const at = whose.lastIndexOf(".");
    const [symbol, learner] = [whose.slice(0, at), whose.slice(at + 1)];
    const query = new URLSearchParams({ control, model, symbol, learner });
    const answer = await Tickloop.request(`live/decision?${query}`);
    const title = `${TITLES[control]} ${learner}?`;
    if (answer.error) return Tickloop.confirm(title, [answer.error], "Try again later");
    const { columns, rows, verdict, markets } = answer;
    const everywhere = markets.length > 1 ? [`It is done in all ${markets.length} markets of the session; this is ${symbol}.`] : [];
    const parts = [table(columns, rows), ...everywhere, `What the evidence says: ${verdict}.`,
      "Doing it by hand does not wait for the evidence, and is written into the version's record."];
    const yes = control === "promote" ? "Promote" : "Roll back";
    if (await Tickloop.confirm(title, parts, yes)) controls.send(control, learner);
  };
})();

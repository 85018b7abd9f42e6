/* The leaderboard: who is proven ahead of whom. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element, place } = Tickloop;

  const CELLS = ["range", "bars", "brier", "behind"];

  function row(name) {
    const line = element("tr");
    const head = element("th", name);
    head.scope = "row";
    line.append(place("td", `a.${name}.place`, "n"), head);
    for (const cell of CELLS) line.append(place("td", `a.${name}.${cell}`, "n"));
    line.append(place("td", `a.${name}.ahead`));
    return line;
  }

  /* names: of those scored, the first first. */
  Tickloop.setLeaderboard = function (names, panel) {
    byId("board").hidden = !names.length;
    byId("board-none").hidden = names.length > 0;
    document.querySelector("#board tbody").replaceChildren(...names.map(row));
    panel.find();
  };
})();

/* The shards of a fleet and their nodes; hidden where the session runs on one machine. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const COLUMNS = ["shard", "node", "host", "markets", "epochs", "since"];

  class FleetView {
    update({ fleet }) {
      if (!fleet) return;
      byId("fleet").hidden = !fleet.shards.length;
      const cells = (shard) => COLUMNS.map((name) => element("td", String(shard[name])));
      const row = (shard) => {
        const made = element("tr", "");
        made.append(...cells(shard));
        return made;
      };
      byId("fleet-shards").replaceChildren(...fleet.shards.map(row));
      byId("fleet-moves").replaceChildren(...fleet.moves.map((text) => element("li", text)));
    }
  }

  Tickloop.FleetView = FleetView;
})();

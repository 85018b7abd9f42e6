/* What all scripts share. Names and texts come from runs and tags that anyone may have written:
   they are only assigned to textContent, never parsed. Addresses of the server are relative to the
   page's own, which a proxy may serve under a path. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  /* Colours are those of base.css, whose contrast is tested. Every bar needs some, so that each is
     read from the style once a theme. */
  const colours = new Map();
  Tickloop.colour = (name) => {
    if (!colours.has(name)) {
      const value = getComputedStyle(document.body).getPropertyValue(`--tl-${name}`);
      colours.set(name, value.trim());
    }
    return colours.get(name);
  };
  Tickloop.forgetColours = () => colours.clear();

  /* Draw a part of a view: now if the view is open, else once it is opened. */
  const waiting = new Map(); // view -> part -> draw
  Tickloop.whenOpen = (view, part, draw) => {
    if (!Tickloop.byId(view).hidden) return draw();
    waiting.set(view, new Map(waiting.get(view)).set(part, draw));
  };
  Tickloop.opened = (view) => {
    for (const draw of waiting.get(view)?.values() ?? []) draw();
    waiting.delete(view);
  };
  Tickloop.SERIES = 6; // colours c0 to c5

  Tickloop.element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  /* An element that shows the text of `key`. */
  Tickloop.place = (tag, key, className) => {
    const made = Tickloop.element(tag, "", className);
    made.dataset.k = key;
    return made;
  };

  /* A price as it is written everywhere: 59,485.73. */
  const formats = new Map(); // by decimals
  Tickloop.price = (value, decimals) => {
    if (!formats.has(decimals)) {
      const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
      formats.set(decimals, new Intl.NumberFormat("en-US", digits));
    }
    return formats.get(decimals).format(value);
  };

  /* A text whose numbers are never parted from their units and intervals. */
  Tickloop.together = (text) => text.replace(/ (?=(±|bp|nats|%|=)(?!\w))|(?<=[±=]) /g, "\u00a0");

  Tickloop.byId = (id) => document.getElementById(id);

  /* Whether the page's messages come. Those of a session that is over come to an end with it. */
  Tickloop.showConnection = (panel, connected) => {
    const missed = !connected && !panel.texts.get("over.title");
    document.body.classList.toggle("tl-stale", missed);
    panel.put("link", missed ? "reconnecting" : "");
  };

  /* A key of series: a dash in its colour, and its name; `first` is the number of the first one. */
  Tickloop.key = (names, first = 0) =>
    names.flatMap((name, i) => [Tickloop.element("i", "", `k${(first + i) % Tickloop.SERIES}`), name]);

  /* The options that all charts share. */
  Tickloop.chartOptions = (logo) => ({
    layout: {
      background: { color: Tickloop.colour("card") },
      textColor: Tickloop.colour("muted"),
      fontSize: 11,
      fontFamily: "system-ui, sans-serif",
      attributionLogo: logo,
      panes: { separatorColor: Tickloop.colour("line"), enableResize: false },
    },
    grid: {
      vertLines: { color: Tickloop.colour("grid") },
      horzLines: { color: Tickloop.colour("grid") },
    },
  });
})();

/* What all scripts share. Names and texts come from runs and tags that anyone may have written:
   they are only ever assigned to textContent, never parsed. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  /* Colours come from base.css, where they are held to WCAG's contrast. They are asked for with
     every bar: the browser is asked once a theme. */
  const colours = new Map();
  Tickloop.colour = (name) => {
    if (!colours.has(name)) {
      const value = getComputedStyle(document.body).getPropertyValue(`--tl-${name}`);
      colours.set(name, value.trim());
    }
    return colours.get(name);
  };
  Tickloop.forgetColours = () => colours.clear();

  /* Do what a view has to, now if it is open, else once it is opened. */
  const waiting = new Map(); // by view, the last work of each kind
  Tickloop.whenOpen = (view, kind, work) => {
    if (!Tickloop.byId(view).hidden) return work();
    waiting.set(view, new Map(waiting.get(view)).set(kind, work));
  };
  Tickloop.opened = (view) => {
    for (const work of waiting.get(view)?.values() ?? []) work();
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

  Tickloop.byId = (id) => document.getElementById(id);

  /* A key of series: a dash in its colour, and its name. */
  Tickloop.key = (names) =>
    names.flatMap((name, i) => [Tickloop.element("i", "", `k${i % Tickloop.SERIES}`), name]);

  /* What all charts share. */
  Tickloop.look = (logo) => ({
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

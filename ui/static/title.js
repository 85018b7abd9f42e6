/* The browser's tab: price and state in its title, a red dot on its icon while an alert fires. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  const icon = (alarm) =>
    "data:image/svg+xml," +
    encodeURIComponent(
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f1319"/>` +
        `<path d="M9 6v20M23 4v18" stroke="#a3adbb" stroke-width="2"/>` +
        `<rect x="5.5" y="11" width="7" height="11" fill="#2ebd85"/><rect x="19.5" y="8" width="7" height="9" fill="#f6566a"/>` +
        (alarm ? `<circle cx="25" cy="25" r="7" fill="#ff2d2d" stroke="#fff" stroke-width="1.5"/>` : "") +
        `</svg>`
    );

  class Title {
    constructor() {
      this.link = document.querySelector("link[rel~=icon]") ?? document.head.appendChild(document.createElement("link"));
      Object.assign(this.link, { rel: "icon", type: "image/svg+xml" });
      this.alarm(false);
    }

    /* `state` is empty while all is well. */
    show(price, symbol, state, alerts) {
      const text = [state, /^\d/.test(price) ? price : "", symbol, "Tickloop"].filter(Boolean).join(" · ");
      if (this.text !== text) document.title = this.text = text;
      this.alarm(alerts !== "");
    }

    alarm(on) {
      if (this.on === on) return;
      this.on = on;
      this.link.href = icon(on);
    }
  }

  Tickloop.Title = Title;
})();

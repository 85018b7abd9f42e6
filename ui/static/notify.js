/* Alerts as messages of the desktop, for whoever has asked for them in this browser. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const KEY = "tickloop-notify";
  const TITLES = { firing: "alert", resolved: "alert is over" };

  class Notifier {
    constructor() {
      this.known = null; // ids of the history that was there when the page was opened, or came since
      this.button = Tickloop.byId("alerts-notify");
      this.button.hidden = !("Notification" in window);
      this.button.onclick = () => this.toggle();
      this.show();
    }

    get on() {
      return localStorage.getItem(KEY) === "on" && window.Notification?.permission === "granted";
    }

    async toggle() {
      const wanted = !this.on;
      if (wanted && (await Notification.requestPermission()) !== "granted") {
        this.button.textContent = "This browser does not allow messages";
        return;
      }
      localStorage.setItem(KEY, wanted ? "on" : "off");
      this.show();
    }

    show() {
      this.button.setAttribute("aria-pressed", this.on);
    }

    /* Show what is new of a session in the history of alerts. */
    tell(history, session) {
      const fresh = history.filter((entry) => entry.session === session && entry.phase in TITLES);
      for (const { id, phase, text } of this.known && this.on ? fresh : []) {
        // Of several tabs with one message the desktop shows one, as it has one tag.
        if (!this.known.has(id)) new Notification(`Tickloop ${TITLES[phase]}`, { body: text, tag: id });
      }
      this.known = new Set(history.map((entry) => entry.id));
    }
  }

  Tickloop.Notifier = Notifier;
})();

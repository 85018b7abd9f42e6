/* The views: arrow keys move between their tabs, the address keeps which one is open, of which market. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  const BELOW_PX = 12; // under a view

  class Tabs {
    constructor() {
      this.onOpen = () => {};
      this.tabs = [...document.querySelectorAll("#tabs [role=tab]")];
      for (const tab of this.tabs) {
        tab.onclick = () => this.open(tab);
        tab.onkeydown = (event) => this.move(tab, event);
      }
      // The views have the height that is left by the first line, which may be two, and by what is
      // said of a session's end.
      const above = new ResizeObserver(() => this.fit());
      for (const id of ["bar", "over"]) above.observe(document.getElementById(id));
      this.follow();
    }

    /* Open what the address names. */
    follow() {
      const [, view] = Tickloop.address();
      const tab = this.tabs.find((each) => each.id === `tab-${view}`);
      if (tab) this.open(tab);
    }

    /* With several markets their view is the first one, unless the address names another. */
    offerMarkets(several) {
      const [markets, live] = this.tabs;
      markets.hidden = !several;
      if (several && !Tickloop.address()[1]) this.open(markets);
      if (!several && this.view === "markets") this.open(live);
    }

    get view() {
      return this.tabs.find((each) => each.getAttribute("aria-selected") === "true").id.replace("tab-", "");
    }

    open(tab) {
      for (const each of this.tabs) {
        const here = each === tab;
        each.setAttribute("aria-selected", here);
        each.tabIndex = here ? 0 : -1;
        document.getElementById(each.getAttribute("aria-controls")).hidden = !here;
      }
      Tickloop.opened(tab.getAttribute("aria-controls"));
      Tickloop.setAddress({ view: this.view });
      this.onOpen();
    }

    fit() {
      const view = document.querySelector(".view:not([hidden])");
      const top = Math.round(view.getBoundingClientRect().top + scrollY) + BELOW_PX;
      document.body.style.setProperty("--tl-top", `${top}px`);
    }

    move(tab, event) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const tabs = this.tabs.filter(({ hidden }) => !hidden);
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      this.open(next);
    }
  }

  /* The address after the #: the symbol and the view. */
  Tickloop.address = () => location.hash.slice(1).split("/").map(decodeURIComponent);

  Tickloop.setAddress = ({ symbol, view }) => {
    const [oldSymbol, oldView] = Tickloop.address();
    const parts = [symbol ?? oldSymbol ?? "", view ?? oldView ?? "live"];
    history.replaceState(null, "", "#" + parts.map(encodeURIComponent).join("/"));
  };

  Tickloop.Tabs = Tabs;
})();

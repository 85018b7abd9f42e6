/* The page's one connection: messages of ui/hub.py in, charts and panel out. The first message
   of a connection is whole (it names its symbol), each later one holds what changed. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const SILENT_MS = 5000; // the server speaks every second
  const HIDDEN_MS = 15000; // a tab nobody looks at needs no connection
  const FIRST_RETRY_MS = 500;
  const LAST_RETRY_MS = 8000;

  class Link {
    constructor(candles, panel, mini) {
      Object.assign(this, { candles, panel, mini, retry: FIRST_RETRY_MS, socket: null });
      this.symbol = decodeURIComponent(location.hash.slice(1));
      document.getElementById("symbols").onchange = (event) => this.watch(event.target.value);
      document.addEventListener("visibilitychange", () => this.seen());
      setInterval(() => this.socket && Date.now() - this.heard > SILENT_MS && this.lost(), 1000);
      this.open();
    }

    open() {
      clearTimeout(this.timer);
      this.drop();
      const address = location.origin.replace(/^http/, "ws") + "/live/ws?symbol=";
      this.socket = new WebSocket(address + encodeURIComponent(this.symbol));
      this.heard = Date.now();
      this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
      this.socket.onclose = () => this.lost();
    }

    drop() {
      if (!this.socket) return;
      this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.socket = null;
    }

    lost() {
      this.drop();
      if (document.hidden) return; // `seen` opens it again
      this.panel.put("link", "RECONNECTING");
      document.body.classList.add("tl-stale");
      this.timer = setTimeout(() => this.open(), this.retry);
      this.retry = Math.min(this.retry * 1.7, LAST_RETRY_MS);
    }

    seen() {
      clearTimeout(this.hiding);
      if (document.hidden) this.hiding = setTimeout(() => this.drop(), HIDDEN_MS);
      else if (!this.socket) this.open();
    }

    watch(symbol) {
      this.symbol = symbol;
      history.replaceState(null, "", "#" + encodeURIComponent(symbol));
      this.open();
    }

    take(message) {
      this.heard = Date.now();
      const { candles, panel, mini } = this;
      if (message.symbol) this.begin(message);
      if (message.decimals) candles.setDecimals(message.decimals);
      if (!message.symbol && message.rows) candles.update(message.rows);
      if (!message.symbol && message.cycles) mini.add(message.cycles);
      if (message.cards) panel.setCards(message.cards);
      if (message.events) panel.setEvents(message.events);
      for (const [key, text] of Object.entries(message.texts ?? {})) panel.put(key, text);
    }

    begin({ symbol, symbols, rows, cycles }) {
      this.retry = FIRST_RETRY_MS;
      this.symbol = symbol;
      document.body.classList.remove("tl-stale");
      this.candles.set(symbol, rows ?? []);
      this.mini.set(cycles ?? []);
      this.panel.put("link", "LIVE");
      this.choices(symbol, symbols);
    }

    choices(symbol, symbols) {
      const select = document.getElementById("symbols");
      select.hidden = symbols.length < 2;
      this.panel.put("symbol", select.hidden ? symbol : "");
      select.replaceChildren(...symbols.map((name) => new Option(name, name, false, name === symbol)));
    }
  }

  /* Dark or light: what was chosen here before, else what the system prefers (Gradio's doing). */
  const theme = {
    apply() {
      const chosen = localStorage.getItem("tickloop-theme");
      if (chosen) document.body.classList.toggle("dark", chosen === "dark");
    },
    toggle() {
      const dark = !document.body.classList.contains("dark");
      localStorage.setItem("tickloop-theme", dark ? "dark" : "light");
      theme.apply();
    },
    follow(charts) {
      theme.apply();
      document.getElementById("theme").onclick = theme.toggle;
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(theme.apply));
      const recolour = () => charts.forEach((chart) => chart.recolour());
      new MutationObserver(recolour).observe(document.body, { attributeFilter: ["class"] });
    },
  };

  Tickloop.start = function () {
    const parts = ["bar", "chart", "mini", "cards", "events"];
    if (!parts.every((id) => document.getElementById(id))) return requestAnimationFrame(Tickloop.start);
    if (Tickloop.link) return;
    const candles = new Tickloop.Candles(document.getElementById("chart-frame"));
    const mini = new Tickloop.Mini();
    theme.follow([candles, mini]);
    Tickloop.candles = candles;
    Tickloop.link = new Link(candles, new Tickloop.Panel(), mini);
  };
})();

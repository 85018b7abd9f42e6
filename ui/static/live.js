/* The page's one connection: messages of ui/server/broadcaster.py in, charts and texts out. The first
   message of a connection is whole (it names its symbol), each later one holds what changed. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId } = Tickloop;
  const SILENT_MS = 5000; // the server sends a message every second
  const HIDDEN_MS = 15000; // a hidden tab needs no connection
  const FIRST_RETRY_MS = 300;
  const LAST_RETRY_MS = 1000;
  const OWN = ["markets", "runs"]; // views whose content comes only while they are open

  class Connection {
    constructor(views) {
      Object.assign(this, views, { retry: FIRST_RETRY_MS, socket: null, symbols: [] });
      [this.symbol] = Tickloop.address();
      this.viewport.onLength = () => this.open();
      this.tabs.onOpen = () => this.asked && this.ask();
      window.addEventListener("hashchange", () => this.follow());
      byId("symbols").onchange = (event) => this.showSymbol(event.target.value);
      document.addEventListener("visibilitychange", () => this.onVisibility());
      setInterval(() => this.socket && Date.now() - this.lastMessage > SILENT_MS && this.lost(), 1000);
      this.open();
    }

    open() {
      clearTimeout(this.timer);
      this.drop();
      const address = new URL("live/ws", document.baseURI).href.replace(/^http/, "ws");
      this.asked = this.query();
      this.charted = !this.own;
      this.socket = new WebSocket(`${address}?${this.asked}`);
      this.lastMessage = Date.now();
      this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
      this.socket.onclose = () => this.lost();
    }

    get own() {
      return OWN.includes(this.tabs.view);
    }

    /* What is looked at: a market, in candles of some seconds, and one of the views. */
    query() {
      const view = this.own ? this.tabs.view : "market";
      return `${new URLSearchParams({ symbol: this.symbol, seconds: this.viewport.seconds, view })}`;
    }

    /* Ask for what is looked at now, unless that comes already. */
    ask() {
      if (this.query() !== this.asked) this.open();
    }

    /* Go where the address leads that somebody has followed. */
    follow() {
      const [symbol] = Tickloop.address();
      if (this.symbols.includes(symbol)) this.symbol = symbol;
      else Tickloop.setAddress({ symbol: this.symbol });
      this.tabs.follow();
      this.ask();
    }

    drop() {
      if (!this.socket) return;
      this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.socket = null;
    }

    lost() {
      this.drop();
      if (document.hidden) return; // onVisibility opens it again
      Tickloop.showConnection(this.panel, false);
      // A page that restarts does not answer; one that does may refuse.
      Tickloop.checkLogin().then(() => this.blameProxy());
      this.timer = setTimeout(() => this.open(), this.retry);
      this.retry = Math.min(this.retry * 1.7, LAST_RETRY_MS);
      this.showTitle();
    }

    /* A server that answers, but not at this address, refuses the connection. */
    blameProxy() {
      const seen = Tickloop.seenHost;
      if (!this.panel.texts.get("link") || !seen || seen === location.host) return;
      const wanted = `have it set Host, or X-Forwarded-Host, to ${location.host}`;
      this.panel.put("notice", `the proxy says that this page is ${seen}: ${wanted}`);
    }

    onVisibility() {
      clearTimeout(this.hiding);
      if (document.hidden) this.hiding = setTimeout(() => this.drop(), HIDDEN_MS);
      else if (!this.socket) this.open();
    }

    showSymbol(symbol) {
      this.symbol = symbol;
      Tickloop.setAddress({ symbol });
      this.ask();
    }

    receive(message) {
      this.lastMessage = Date.now();
      this.configure(message);
      if (message.symbol) this.begin(message);
      else if (this.charted) {
        // Who comes from a view of its own asks anew, and gets the charts whole: drawn unseen, they
        // would be half of that view's work.
        this.candles.update(message);
        if (message.cycles) this.mini.add(message.cycles);
      }
      if (message.cards) this.panel.setCards(message.cards);
      if (message.events) this.panel.setEvents(message.events);
      this.trades.update(message);
      this.evidence.update(message);
      this.runs.update(message);
      this.markets.update(message);
      this.fleet.update(message);
      for (const [key, text] of Object.entries(message.texts ?? {})) this.put(key, text);
      this.controls.update(message);
      this.showTitle();
    }

    showTitle() {
      const text = (key) => this.panel.texts.get(key) ?? "";
      const state = text("link") || text("state");
      this.title.show(text("price"), this.symbol, state === "live" ? "" : state, text("alerts"));
    }

    /* What charts and links have to know before they are drawn. */
    configure({ decimals, learners, thresholds, mlflow }) {
      if (decimals) this.candles.setDecimals(decimals);
      if (learners) this.candles.setLearners(learners);
      if (thresholds) this.candles.strip.setThresholds(thresholds);
      if (mlflow === undefined) return;
      const port = typeof mlflow === "number" ? mlflow : null;
      const here = port ? `${location.protocol}//${location.hostname}:${port}` : "";
      Tickloop.mlflow = port === null ? mlflow : here;
      byId("mlflow-note").textContent = Tickloop.mlflow ? "" : "MLflow's own UI does not run (mlflow_ui_port is 0)";
    }

    put(key, text) {
      const [, control] = key.match(/^control\.(?!note)(.+)$/) ?? [];
      if (key === "over.title") document.body.classList.toggle("tl-over", text !== "");
      if (control) this.controls.put(control, text);
      else if (key === "alerts.revision") this.alerts.load();
      else this.panel.put(key, text);
    }

    begin(message) {
      const { symbol, symbols, cycles } = message;
      this.retry = FIRST_RETRY_MS;
      const continues = symbol === this.candles.symbol && message.seconds === this.candles.seconds;
      if (symbol !== this.candles.symbol) this.evidence.begin();
      Object.assign(this, { symbol, symbols });
      this.tabs.offerMarkets(symbols.length > 1);
      Tickloop.setAddress({ symbol });
      document.body.classList.add("tl-ready");
      if (message.prices) this.markets.begin(symbols);
      this.candles.set(message);
      this.viewport.begun(continues);
      if (!continues && message.texts?.["over.title"]) this.viewport.showLastCycle();
      this.trades.begin(this.candles.decimals);
      this.mini.set(cycles ?? []);
      Tickloop.showConnection(this.panel, true);
      this.offerSymbols(symbol, symbols);
    }

    offerSymbols(symbol, symbols) {
      const select = byId("symbols");
      select.hidden = symbols.length < 2;
      this.panel.put("symbol", select.hidden ? symbol : "");
      select.replaceChildren(...symbols.map((name) => new Option(name, name, false, name === symbol)));
    }
  }

  /* Start the page, once, when both its markup and its scripts are there. */
  Tickloop.start = () => {
    if (Tickloop.connection || !byId("view-evidence")) return;
    const card = new Tickloop.CycleCard(() => Tickloop.candles.marks.cycles);
    const candles = new Tickloop.Candles(byId("chart-frame"), (...at) => card.open(...at));
    const viewport = new Tickloop.Viewport(candles, byId("chart-frame"));
    new Tickloop.Overlays(candles);
    const [mini, panel, controls] = [new Tickloop.Mini(), new Tickloop.Panel(), new Tickloop.Controls()];
    const [compare, evidence] = [new Tickloop.Compare(), new Tickloop.EvidenceView(panel)];
    const [tabs, markets] = [new Tickloop.Tabs(), new Tickloop.MarketsView()];
    const trades = new Tickloop.TradesView((time) => {
      tabs.open(byId("tab-live"));
      viewport.goTo(time);
    });
    const [runs, alerts] = [new Tickloop.RunsView(panel, controls, compare), new Tickloop.AlertsView()];
    Tickloop.candles = candles;
    Tickloop.help = new Tickloop.Help();
    Tickloop.followTheme([candles, mini, compare, evidence, trades, markets]);
    Tickloop.connection = new Connection({ title: new Tickloop.Title(), tabs, markets, candles, viewport, panel, mini, controls, trades, evidence, runs, alerts, fleet: new Tickloop.FleetView() });
    Tickloop.showRole();
  };
  Tickloop.start();
})();

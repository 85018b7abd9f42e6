/* The candles. One chart lives as long as its tab: rows are set once and then updated, so that
   nothing is drawn anew and the zoom stays. A row is ui/market.py's:
   [time, open, high, low, close, volume, sma_20, sma_50], time in unix seconds. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const MOST_ROWS = 7200; // then the older half goes
  const RIGHT_BARS = 4; // empty space right of the newest bar

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--tl-${name}`).trim();

  /* What both charts share; colours come from live.css, where they are checked for contrast. */
  Tickloop.look = (logo) => ({
    layout: {
      background: { color: colour("card") },
      textColor: colour("muted"),
      fontSize: 11,
      fontFamily: "system-ui, sans-serif",
      attributionLogo: logo,
      panes: { separatorColor: colour("line") },
    },
    grid: { vertLines: { color: colour("grid") }, horzLines: { color: colour("grid") } },
  });
  Tickloop.colour = colour;

  const candle = ([time, open, high, low, close]) => ({ time, open, high, low, close });
  const point = (time, value) => (value === null ? { time } : { time, value });
  const volume = ([time, open, , , close, value]) => ({
    time,
    value,
    color: colour(close >= open ? "up-soft" : "down-soft"),
  });

  class Candles {
    constructor(frame) {
      this.rows = new Map();
      this.symbol = null;
      this.decimals = 2;
      this.legend = frame.querySelector("#legend");
      this.chart = L.createChart(frame.querySelector("#chart"), {
        autoSize: true,
        rightPriceScale: { borderVisible: false },
        timeScale: {
          timeVisible: true,
          secondsVisible: true,
          borderVisible: false,
          rightOffset: RIGHT_BARS,
        },
        crosshair: { mode: L.CrosshairMode.Normal },
      });
      this.addSeries();
      this.recolour();
      this.chart.subscribeCrosshairMove((at) => {
        this.hovered = at.time;
        this.describe();
      });
      for (const button of frame.querySelectorAll("[data-bars]")) {
        button.onclick = () => this.show(button.dataset.bars);
      }
    }

    addSeries() {
      const plain = { priceLineVisible: false, lastValueVisible: false };
      const line = { ...plain, lineWidth: 2, crosshairMarkerVisible: false };
      this.candles = this.chart.addSeries(L.CandlestickSeries, { borderVisible: false });
      this.sma20 = this.chart.addSeries(L.LineSeries, line);
      this.sma50 = this.chart.addSeries(L.LineSeries, line);
      const format = { priceFormat: { type: "volume" } };
      this.volume = this.chart.addSeries(L.HistogramSeries, { ...plain, ...format }, 1);
      const [prices, volumes] = this.chart.panes();
      prices.setStretchFactor(4);
      volumes.setStretchFactor(1);
    }

    /* Take a whole picture: after a reconnect it continues what is here, zoom included. */
    set(symbol, rows) {
      const first = rows.length ? rows[0][0] : Infinity;
      const last = [...this.rows.keys()].pop();
      const same = symbol === this.symbol;
      const older = same && last >= first - 1 ? [...this.rows.values()] : [];
      this.symbol = symbol;
      this.replace([...older.filter((row) => row[0] < first), ...rows], same);
    }

    replace(rows, keepZoom) {
      const scale = this.chart.timeScale();
      const away = keepZoom && scale.scrollPosition() < 0 ? scale.getVisibleRange() : null;
      this.rows = new Map(rows.map((row) => [row[0], row]));
      this.candles.setData(rows.map(candle));
      this.volume.setData(rows.map(volume));
      this.sma20.setData(rows.map((row) => point(row[0], row[6])));
      this.sma50.setData(rows.map((row) => point(row[0], row[7])));
      if (away && rows.length && away.to > rows[0][0]) scale.setVisibleRange(away);
      this.describe();
    }

    update(rows) {
      let last = [...this.rows.keys()].pop() ?? -Infinity;
      for (const row of rows) {
        const older = row[0] < last; // a bar of late trades, where the feed waits for them
        if (older && !this.rows.has(row[0])) continue;
        this.rows.set(row[0], row);
        this.candles.update(candle(row), older);
        this.volume.update(volume(row), older);
        this.sma20.update(point(row[0], row[6]), older);
        this.sma50.update(point(row[0], row[7]), older);
        last = Math.max(last, row[0]);
      }
      if (this.rows.size > MOST_ROWS) this.replace([...this.rows.values()].slice(-MOST_ROWS / 2), true);
      this.describe();
    }

    setDecimals(decimals) {
      this.decimals = decimals;
      const priceFormat = { type: "price", precision: decimals, minMove: 10 ** -decimals };
      for (const series of [this.candles, this.sma20, this.sma50]) series.applyOptions({ priceFormat });
    }

    /* Show the newest bars ("live": at the zoom there is). */
    show(bars) {
      const scale = this.chart.timeScale();
      if (bars === "live") return scale.scrollToPosition(RIGHT_BARS, false);
      scale.setVisibleLogicalRange({ from: this.rows.size - bars, to: this.rows.size + RIGHT_BARS });
    }

    /* Write the bar under the mouse, or the newest one, into the legend. */
    describe() {
      const row = this.rows.get(this.hovered) ?? [...this.rows.values()].pop();
      const [text, sma20, sma50] = this.legend.children;
      if (!row) {
        text.textContent = "no bars yet";
        sma20.textContent = sma50.textContent = "";
        return;
      }
      const price = (value) => (value === null ? "needs more bars" : value.toFixed(this.decimals));
      const clock = new Date(row[0] * 1000).toISOString().slice(11, 19);
      const [open, high, low, close] = row.slice(1, 5).map(price);
      text.textContent = `${clock} UTC  O ${open}  H ${high}  L ${low}  C ${close}  V ${row[5]}`;
      sma20.textContent = `SMA 20 ${price(row[6])}`;
      sma50.textContent = `SMA 50 ${price(row[7])}`;
    }

    recolour() {
      const [up, down] = [colour("up"), colour("down")];
      this.chart.applyOptions(Tickloop.look(true));
      this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
      this.sma20.applyOptions({ color: colour("a") });
      this.sma50.applyOptions({ color: colour("b") });
      this.volume.setData([...this.rows.values()].map(volume));
    }
  }

  Tickloop.Candles = Candles;
})();

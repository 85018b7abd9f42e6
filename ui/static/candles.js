/* The chart: candles, averages, forecasts, volume. One chart lives as long as its tab: bars are set
   once and then updated, so that nothing is drawn anew and the zoom stays. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { colour, chartOptions } = Tickloop;
  const KEPT_ROWS = 930; // at the live edge
  const MOST_ROWS = 1020; // then it is cut to those
  const MOST_ROWS_AWAY = 7200; // while older bars are on the screen
  const RIGHT_BARS = 4; // empty space right of the newest bar
  const [PRICE, STRIP, VOLUME] = [0, 1, 2]; // panes

  /* A row of ui/live/market.py, which comes every second and therefore without names. */
  const barOf = ([time, open, high, low, close, volume, sma20, sma50, gap]) =>
    ({ time, open, high, low, close, volume, sma20, sma50, gap });
  const BROKEN = 2; // of a bar's gap, see streaming/bars.py
  const MOST_DECIMALS = 8; // that lightweight-charts tells apart
  const volumeOf = ({ time, open, close, volume }) => ({
    time,
    value: volume,
    color: colour(close >= open ? "up-soft" : "down-soft"),
  });

  class Candles {
    constructor(frame, openCycle) {
      this.rows = new Map(); // time -> bar
      this.symbol = null;
      this.decimals = 2;
      this.unit = 1; // of the chart's prices: small ones are charted in a smaller unit
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
      this.strip = new Tickloop.Strip(this.chart, STRIP, frame.querySelector("#strip-legend"));
      const legend = frame.querySelector("#marks-legend");
      this.marks = new Tickloop.Marks(this.chart, this.candles, legend, openCycle);
      this.recolour();
      this.listen(frame);
    }

    addSeries() {
      const plain = { priceLineVisible: false, lastValueVisible: false };
      const line = { ...plain, lineWidth: 2, crosshairMarkerVisible: false };
      this.candles = this.chart.addSeries(L.CandlestickSeries, { borderVisible: false });
      this.sma20 = this.chart.addSeries(L.LineSeries, line);
      this.sma50 = this.chart.addSeries(L.LineSeries, line);
      this.gaps = new Tickloop.Gaps();
      this.candles.attachPrimitive(this.gaps);
      this.chart.addPane(true); // the strip's, there before anything is forecast
      const format = { priceFormat: { type: "volume" } };
      this.volume = this.chart.addSeries(L.HistogramSeries, { ...plain, ...format }, VOLUME);
      const factors = { [PRICE]: 5, [STRIP]: 1.6, [VOLUME]: 1 };
      this.chart.panes().forEach((pane, i) => pane.setStretchFactor(factors[i]));
    }

    candleOf({ time, open, high, low, close }) {
      const [o, h, l, c] = [open, high, low, close].map((price) => price / this.unit);
      return { time, open: o, high: h, low: l, close: c };
    }

    averageOf(name, bar) {
      return bar[name] === null ? { time: bar.time } : { time: bar.time, value: bar[name] / this.unit };
    }

    listen(frame) {
      this.chart.subscribeCrosshairMove((at) => {
        this.hovered = at.time;
        this.describe();
        this.strip.describe(at.time);
      });
      for (const button of frame.querySelectorAll("[data-bars]")) {
        button.onclick = () => this.show(button.dataset.bars);
      }
      const place = () => this.placeLegend(frame);
      new ResizeObserver(place).observe(frame);
    }

    /* The strip's legend stands at the top of its pane. */
    placeLegend(frame) {
      requestAnimationFrame(() => {
        const top = this.chart.panes()[STRIP].getHTMLElement()?.getBoundingClientRect().top;
        const legend = frame.querySelector("#strip-legend");
        if (top) legend.style.top = `${top - frame.getBoundingClientRect().top + 2}px`;
      });
    }

    /* Show a first message; after a reconnect it continues what is here, zoom included. */
    set({ symbol, rows = [], forecasts = [], trades = [], cycle_marks: cycles = [] }) {
      const bars = rows.map(barOf);
      const first = bars.length ? bars[0].time : Infinity;
      const last = [...this.rows.keys()].pop();
      const same = symbol === this.symbol;
      const older = same && last >= first - 1 ? [...this.rows.values()] : [];
      this.symbol = symbol;
      this.replace([...older.filter((bar) => bar.time < first), ...bars], same);
      const start = [...this.rows.keys()][0] ?? Infinity;
      this.strip.set(forecasts, same, start);
      this.marks.set(trades, cycles, same, start);
    }

    replace(bars, keepZoom) {
      const scale = this.chart.timeScale();
      const away = keepZoom && this.away() ? scale.getVisibleRange() : null;
      this.rows = new Map(bars.map((bar) => [bar.time, bar]));
      this.candles.setData(bars.map((bar) => this.candleOf(bar)));
      this.volume.setData(bars.map(volumeOf));
      this.sma20.setData(bars.map((bar) => this.averageOf("sma20", bar)));
      this.sma50.setData(bars.map((bar) => this.averageOf("sma50", bar)));
      this.gaps.set(bars);
      if (away && bars.length && away.to > bars[0].time) scale.setVisibleRange(away);
      this.describe();
    }

    /* Whether someone has scrolled to older bars. */
    away() {
      return this.chart.timeScale().scrollPosition() < 0;
    }

    update({ rows = [], forecasts, trades, cycle_marks: cycles }) {
      let last = [...this.rows.keys()].pop() ?? -Infinity;
      for (const bar of rows.map(barOf)) {
        const older = bar.time < last; // a bar of late trades, where the feed waits for them
        if (older && !this.rows.has(bar.time)) continue;
        this.rows.set(bar.time, bar);
        this.candles.update(this.candleOf(bar), older);
        this.volume.update(volumeOf(bar), older);
        this.sma20.update(this.averageOf("sma20", bar), older);
        this.sma50.update(this.averageOf("sma50", bar), older);
        if (bar.gap) this.gaps.add(bar.time);
        last = Math.max(last, bar.time);
      }
      if (forecasts) this.strip.update(forecasts);
      this.marks.update(trades, cycles);
      this.trim();
      this.describe();
    }

    trim() {
      if (this.rows.size <= (this.away() ? MOST_ROWS_AWAY : MOST_ROWS)) return;
      this.replace([...this.rows.values()].slice(-KEPT_ROWS), true);
      const first = [...this.rows.keys()][0];
      this.strip.set([], true, first);
      this.marks.set([], [], true, first);
    }

    setDecimals(decimals) {
      const unit = 10 ** -Math.max(0, decimals - MOST_DECIMALS);
      const shown = Math.min(decimals, MOST_DECIMALS);
      const rescaled = unit !== this.unit;
      Object.assign(this, { decimals, unit });
      const formatter = (value) => (value * unit).toFixed(decimals);
      const format = unit === 1 ? { type: "price", precision: shown } : { type: "custom", formatter };
      const priceFormat = { ...format, minMove: 10 ** -shown };
      for (const series of [this.candles, this.sma20, this.sma50]) series.applyOptions({ priceFormat });
      if (rescaled) this.replace([...this.rows.values()], true);
    }

    setLearners(learners) {
      this.strip.setLearners(learners);
      this.marks.setLearners(learners);
    }

    setConfidence(confidence) {
      this.strip.setConfidence(confidence);
      this.marks.setConfidence(confidence);
    }

    /* Show the newest bars ("live": at the zoom there is). */
    show(bars) {
      const scale = this.chart.timeScale();
      if (bars === "live") return scale.scrollToPosition(RIGHT_BARS, false);
      scale.setVisibleLogicalRange({ from: this.rows.size - bars, to: this.rows.size + RIGHT_BARS });
    }

    /* Write the bar under the mouse, or the newest one, into the legend. */
    describe() {
      const bar = this.rows.get(this.hovered) ?? [...this.rows.values()].pop();
      const [text, sma20, sma50] = this.legend.children;
      if (!bar) {
        text.textContent = "no bars yet";
        sma20.textContent = sma50.textContent = "";
        return;
      }
      const price = (value) => (value === null ? "needs more bars" : value.toFixed(this.decimals));
      const clock = new Date(bar.time * 1000).toISOString().slice(11, 19);
      const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(price);
      const gap = bar.gap & BROKEN ? "  BROKEN: a wrong print" : bar.gap ? "  GAP: trades are missing" : "";
      text.textContent = `${clock} UTC  O ${open}  H ${high}  L ${low}  C ${close}  V ${bar.volume}${gap}`;
      sma20.textContent = `SMA 20 ${price(bar.sma20)}`;
      sma50.textContent = `SMA 50 ${price(bar.sma50)}`;
    }

    recolour() {
      const [up, down] = [colour("up"), colour("down")];
      this.chart.applyOptions(chartOptions(true));
      this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
      this.sma20.applyOptions({ color: colour("a") });
      this.sma50.applyOptions({ color: colour("b") });
      this.volume.setData([...this.rows.values()].map(volumeOf));
      this.strip.recolour();
      this.marks.recolour();
    }
  }

  Tickloop.Candles = Candles;
})();

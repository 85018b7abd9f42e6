/* The chart: candles, averages, forecasts, volume. One chart lives as long as its tab: candles are
   set once and then updated, so that nothing is drawn anew and the zoom stays. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { colour, chartOptions } = Tickloop;
  const KEPT_ROWS = 930; // at the live edge
  const MOST_ROWS = 1020; // then it is cut to those
  const MOST_ROWS_BACK = 25000; // while older candles are on the screen
  const RIGHT_BARS = 4; // empty space right of the newest candle
  const [PRICE, STRIP, VOLUME] = [0, 1, 2]; // panes
  const STRETCH = { [PRICE]: 5, [STRIP]: 1.6, [VOLUME]: 1 };
  const CLOSED = 0.05; // the stretch of a pane that is not shown

  /* A row of ui/chart/candles.py, which comes every second and therefore without names. */
  const barOf = ([time, open, high, low, close, volume, sma20, sma50, gap]) =>
    ({ time, open, high, low, close, volume, sma20, sma50, gap });
  const MOST_DECIMALS = 8; // that lightweight-charts tells apart
  const direction = ({ open, close }) => (close >= open ? "up" : "down");
  const volumeOf = (bar) => ({ time: bar.time, value: bar.volume, color: colour(`${direction(bar)}-soft`) });

  class Candles {
    constructor(frame, openCycle) {
      this.rows = new Map(); // time -> bar
      this.symbol = null;
      this.seconds = 1; // of a candle
      this.decimals = 2;
      this.unit = 1; // of the chart's prices: small ones are charted in a smaller unit
      this.chart = Tickloop.createTimeChart(frame.querySelector("#chart"), {
        autoSize: true,
        rightPriceScale: { borderVisible: false, entireTextOnly: true },
        timeScale: { rightOffset: RIGHT_BARS },
        crosshair: { mode: L.CrosshairMode.Normal },
      });
      this.addSeries();
      this.strip = new Tickloop.Strip(this.chart, STRIP, frame.querySelector("#strip-legend"));
      const legend = frame.querySelector("#marks-legend");
      this.marks = new Tickloop.Marks(this.chart, this.candles, legend, openCycle);
      this.legend = new Tickloop.Legend(this, frame);
      this.recolour();
      new ResizeObserver(() => this.placeLegend(frame)).observe(frame);
      Tickloop.time.onChange(() => this.redraw());
    }

    addSeries() {
      const plain = { priceLineVisible: false, lastValueVisible: false };
      const line = { ...plain, lineWidth: 2, crosshairMarkerVisible: false };
      this.candles = this.chart.addSeries(L.CandlestickSeries, { ...plain, borderVisible: false });
      // The library's own tag shows the newest candle on the screen, not the price.
      this.tag = this.candles.createPriceLine({ price: 0, lineWidth: 1, lineStyle: L.LineStyle.Dotted });
      this.sma20 = this.chart.addSeries(L.LineSeries, line);
      this.sma50 = this.chart.addSeries(L.LineSeries, line);
      this.gaps = new Tickloop.Gaps();
      this.candles.attachPrimitive(this.gaps);
      this.chart.addPane(true); // the strip's, there before anything is forecast
      const format = { priceFormat: { type: "volume" } };
      this.volume = this.chart.addSeries(L.HistogramSeries, { ...plain, ...format }, VOLUME);
      this.chart.panes().forEach((pane, i) => pane.setStretchFactor(STRETCH[i]));
    }

    candleOf({ time, open, high, low, close }) {
      const [o, h, l, c] = [open, high, low, close].map((price) => price / this.unit);
      return { time, open: o, high: h, low: l, close: c };
    }

    averageOf(name, bar) {
      return bar[name] === null ? { time: bar.time } : { time: bar.time, value: bar[name] / this.unit };
    }

    /* The strip's legend stands at the top of its pane. */
    placeLegend(frame) {
      requestAnimationFrame(() => {
        const top = this.chart.panes()[STRIP].getHTMLElement()?.getBoundingClientRect().top;
        const legend = frame.querySelector("#strip-legend");
        if (top) legend.style.top = `${top - frame.getBoundingClientRect().top + 2}px`;
      });
    }

    get first() {
      return this.rows.keys().next().value ?? Infinity;
    }

    get last() {
      return [...this.rows.keys()].pop() ?? -Infinity;
    }

    /* Show a first message; after a reconnect it continues what is here, zoom included. */
    set({ symbol, seconds = 1, rows = [], ...marks }) {
      const bars = rows.map(barOf);
      const first = bars.length ? bars[0].time : Infinity;
      const same = symbol === this.symbol && seconds === this.seconds;
      const older = same && this.last >= first - seconds ? [...this.rows.values()] : [];
      Object.assign(this, { symbol, seconds });
      this.replace([...older.filter((bar) => bar.time < first), ...bars], same);
      this.setMarks(marks, same);
    }

    /* Show a part of the past. */
    prepend({ rows, ...marks }) {
      const bars = rows.map(barOf).filter((bar) => bar.time < this.first);
      this.replace([...bars, ...this.rows.values()], false);
      this.setMarks(marks, true);
    }

    setMarks({ forecasts = [], ...marks }, keep) {
      this.strip.set(forecasts, keep, this.first);
      this.marks.set(marks, keep, this.first);
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
      this.drawTag();
      this.legend.describe();
    }

    /* Draw everything anew: the times of another zone have other weights. */
    redraw() {
      const bars = [...this.rows.values()];
      const range = this.chart.timeScale().getVisibleLogicalRange();
      this.replace([], false);
      this.strip.clear();
      this.marks.clear();
      this.replace(bars, false);
      this.strip.draw();
      this.marks.draw();
      if (range) this.chart.timeScale().setVisibleLogicalRange(range);
    }

    /* Whether someone has scrolled to older candles. */
    away() {
      return this.chart.timeScale().scrollPosition() < 0;
    }

    /* Whether someone looks at candles that are not kept at the live edge. */
    looksBack() {
      const range = this.chart.timeScale().getVisibleLogicalRange();
      return this.away() || (range && range.from < this.rows.size - KEPT_ROWS - RIGHT_BARS);
    }

    update({ rows = [], forecasts, ...marks }) {
      let last = this.last;
      for (const bar of rows.map(barOf)) {
        const older = bar.time < last; // a bar of late trades, where the feed waits for them
        if (older && !this.rows.has(bar.time)) continue;
        this.rows.set(bar.time, bar);
        this.candles.update(this.candleOf(bar), older);
        this.volume.update(volumeOf(bar), older);
        this.sma20.update(this.averageOf("sma20", bar), older);
        this.sma50.update(this.averageOf("sma50", bar), older);
        if (bar.gap) this.gaps.add(bar.time, this.seconds);
        last = Math.max(last, bar.time);
      }
      if (rows.length) this.drawTag();
      if (forecasts) this.strip.update(forecasts);
      this.marks.update(marks);
      this.trim();
      this.legend.describe();
    }

    trim() {
      if (this.rows.size <= (this.looksBack() ? MOST_ROWS_BACK : MOST_ROWS)) return;
      this.replace([...this.rows.values()].slice(-KEPT_ROWS), true);
      this.setMarks({}, true);
      this.onTrim?.();
    }

    /* The tag on the axis is the price, whatever part of the chart is on the screen. */
    drawTag() {
      const bar = this.rows.get(this.last);
      const shown = { lineVisible: Boolean(bar), axisLabelVisible: Boolean(bar) };
      const price = bar ? bar.close / this.unit : 0;
      this.tag.applyOptions({ ...shown, price, color: colour(bar ? direction(bar) : "muted") });
    }

    setDecimals(decimals) {
      const unit = 10 ** -Math.max(0, decimals - MOST_DECIMALS);
      const shown = Math.min(decimals, MOST_DECIMALS);
      const rescaled = unit !== this.unit;
      Object.assign(this, { decimals, unit });
      const formatter = (value) => Tickloop.price(value * unit, decimals);
      const priceFormat = { type: "custom", formatter, minMove: 10 ** -shown };
      for (const series of [this.candles, this.sma20, this.sma50]) series.applyOptions({ priceFormat });
      if (rescaled) this.replace([...this.rows.values()], true);
    }

    setLearners(learners) {
      this.strip.setLearners(learners);
      this.marks.setLearners(learners);
    }

    /* Show or hide an overlay. */
    show(name, visible) {
      const panes = { forecasts: STRIP, volume: VOLUME };
      if (name in panes) {
        const stretch = visible ? STRETCH[panes[name]] : CLOSED;
        this.chart.panes()[panes[name]].setStretchFactor(stretch);
      }
      if (name === "forecasts") this.strip.show(visible);
      else if (name === "gaps") this.gaps.show(visible);
      else if (this[name]) this[name].applyOptions({ visible });
      else this.marks.show(name, visible);
    }

    recolour() {
      const [up, down] = [colour("up"), colour("down")];
      this.chart.applyOptions(chartOptions(true));
      this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
      this.sma20.applyOptions({ color: colour("a") });
      this.sma50.applyOptions({ color: colour("b") });
      this.volume.setData([...this.rows.values()].map(volumeOf));
      this.drawTag();
      this.strip.recolour();
      this.marks.recolour();
    }
  }

  Candles.RIGHT_BARS = RIGHT_BARS;
  Tickloop.Candles = Candles;
})();

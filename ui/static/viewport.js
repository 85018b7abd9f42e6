/* Which part of the chart is shown: length of a candle, range, scale, keys. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId } = Tickloop;
  const FEW_CANDLES = 60; // after the last cycle
  const LENGTHS = [1, 5, 15, 60, 300]; // of a candle, s
  const MOST = 900; // candles of a range
  const FEW = 12;
  const STEP = 0.1; // of the view, by an arrow
  const ZOOM = 0.8;
  const KEY = "tickloop-candles";
  const { RIGHT_BARS } = Tickloop.Candles;

  const pressed = (button, on) => button.setAttribute("aria-pressed", on);

  class Viewport {
    constructor(candles, frame) {
      Object.assign(this, { candles, frame, history: new Tickloop.History(candles) });
      this.scale = candles.chart.timeScale();
      this.seconds = LENGTHS.find((each) => `${each}` === localStorage.getItem(KEY)) ?? 1;
      this.lengths = [...frame.querySelectorAll("[data-seconds]")];
      this.ranges = [...frame.querySelectorAll("[data-range]")];
      for (const button of this.lengths) button.onclick = () => this.setLength(Number(button.dataset.seconds));
      for (const button of this.ranges) button.onclick = () => this.showRange(Number(button.dataset.range));
      byId("now").onclick = () => this.showNewest();
      byId("chart").onkeydown = (event) => this.press(event);
      this.scaleButtons();
      this.zone();
      this.scale.subscribeVisibleLogicalRangeChange(() => this.mark());
      this.mark();
    }

    /* A first message has come: of another symbol or length, nothing older is known. */
    begun(continues) {
      if (!continues) this.history.reset();
      if (this.wanted) this.fit(this.wanted);
      else if (!continues) this.showNewest();
      this.wanted = null;
      this.onceBegun?.();
      this.mark();
    }

    /* Of a session that is over: its last cycle, where the stream ran on after it. */
    showLastCycle() {
      const last = Math.max(...[...this.candles.marks.cycles.values()].map(({ time }) => time));
      if (Number.isFinite(last) && this.candles.last - last > FEW_CANDLES * this.seconds) this.goTo(last);
    }

    setLength(seconds) {
      if (seconds === this.seconds) return;
      this.seconds = seconds;
      localStorage.setItem(KEY, seconds);
      this.onLength();
      this.mark();
    }

    /* Show the newest `range` seconds, in candles of a fitting length. */
    showRange(range) {
      const fits = (length) => range / length <= MOST && range / length >= FEW;
      const length = fits(this.seconds) ? this.seconds : LENGTHS.find(fits);
      if (length === this.seconds) return this.fit(range);
      this.wanted = range;
      this.setLength(length);
    }

    fit(range) {
      const { size } = this.candles.rows;
      this.range = range;
      this.scale.setVisibleLogicalRange({ from: size - range / this.seconds, to: size + RIGHT_BARS });
      this.mark();
    }

    showNewest() {
      this.scale.scrollToPosition(RIGHT_BARS, false);
    }

    /* Show the candle of a time in the middle, with longer candles if it is far back. */
    async goTo(time) {
      const far = (this.candles.last - time) / (Tickloop.History.MOST - MOST);
      const length = LENGTHS.find((each) => each >= Math.max(far, this.seconds)) ?? LENGTHS.at(-1);
      if (length !== this.seconds) {
        const begun = new Promise((resolve) => (this.onceBegun = resolve));
        this.setLength(length);
        await begun;
      }
      if (!(await this.history.reach(time))) return;
      const half = 60;
      const index = this.scale.timeToIndex(Math.floor(time / this.seconds) * this.seconds, true);
      this.scale.setVisibleLogicalRange({ from: index - half, to: index + half });
    }

    /* The pressed buttons: a range is on as long as the view is as it was put. */
    mark() {
      for (const button of this.lengths) pressed(button, Number(button.dataset.seconds) === this.seconds);
      const view = this.scale.getVisibleLogicalRange();
      const width = view ? (view.to - view.from - RIGHT_BARS) * this.seconds : 0;
      const newest = !this.candles.away();
      for (const button of this.ranges) {
        const range = Number(button.dataset.range);
        pressed(button, newest && Math.abs(width - range) < Math.max(2 * this.seconds, 0.02 * range));
      }
      pressed(byId("now"), newest);
    }

    press(event) {
      const view = this.scale.getVisibleLogicalRange();
      if (!view || event.ctrlKey || event.metaKey || event.altKey) return;
      const width = view.to - view.from;
      const shift = (by) => this.scale.setVisibleLogicalRange({ from: view.from + by, to: view.to + by });
      const zoom = (by) => this.scale.setVisibleLogicalRange({ from: view.to - width * by, to: view.to });
      const actions = {
        ArrowLeft: () => (event.shiftKey ? this.step(-1) : shift(-STEP * width)),
        ArrowRight: () => (event.shiftKey ? this.step(1) : shift(STEP * width)),
        "+": () => zoom(ZOOM),
        "=": () => zoom(ZOOM),
        "-": () => zoom(1 / ZOOM),
        Home: () => this.scale.setVisibleLogicalRange({ from: 0, to: width }),
        End: () => this.goToNewest(),
        ".": () => this.goToNewest(),
      };
      if (!actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    }

    goToNewest() {
      this.candles.legend.leave();
      this.showNewest();
    }

    /* Move the crosshair by a candle, so that its values can be read. */
    step(by) {
      const times = [...this.candles.rows.keys()];
      const at = times.indexOf(this.candles.legend.hovered);
      const time = times[Math.max(0, Math.min(times.length - 1, (at < 0 ? times.length : at) + by))];
      this.candles.legend.step(time);
    }

    scaleButtons() {
      const modes = { percent: L.PriceScaleMode.Percentage, log: L.PriceScaleMode.Logarithmic };
      const scale = this.candles.candles.priceScale();
      for (const [id, mode] of Object.entries(modes)) {
        byId(id).onclick = () => {
          const on = scale.options().mode !== mode;
          scale.applyOptions({ mode: on ? mode : L.PriceScaleMode.Normal });
          for (const other of Object.keys(modes)) pressed(byId(other), on && other === id);
        };
      }
    }

    zone() {
      const button = byId("zone");
      const write = () => {
        button.textContent = Tickloop.time.zone();
        button.title = Tickloop.time.isLocal() ? "local time; click for UTC" : "UTC; click for local time";
      };
      button.onclick = () => Tickloop.time.choose(!Tickloop.time.isLocal());
      Tickloop.time.onChange(write);
      write();
    }
  }

  Tickloop.Viewport = Viewport;
})();

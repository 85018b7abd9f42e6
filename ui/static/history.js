/* The past, asked for when somebody scrolls to it. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const NEAR = 60; // candles from the oldest one
  const CHUNK = 900; // candles at once
  const LARGEST = 7200;
  const MOST = 20000; // that are kept: longer candles reach further back

  class History {
    constructor(candles) {
      Object.assign(this, { candles, asking: null });
      this.reset();
      candles.onTrim = () => this.reset();
      candles.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
        if (range && range.from < NEAR && this.candles.rows.size) this.load();
      });
    }

    /* After a switch of symbol or candles, or when old candles were dropped. */
    reset() {
      this.complete = false;
    }

    /* Ask for older candles; resolves once they are shown. Only one part is asked for at a time. */
    load(most = CHUNK) {
      if (this.complete || this.candles.rows.size >= MOST) return Promise.resolve();
      this.asking ??= this.ask(most).finally(() => (this.asking = null));
      return this.asking;
    }

    async ask(most) {
      const { symbol, seconds, first } = this.candles;
      const query = new URLSearchParams({ symbol, seconds, before: first, most });
      const answer = await Tickloop.request(`live/history?${query}`);
      const moved = symbol !== this.candles.symbol || seconds !== this.candles.seconds;
      if (answer.error || moved || first !== this.candles.first) return;
      this.complete = answer.complete;
      if (answer.rows.length) this.candles.prepend(answer);
    }

    /* Load until the candle of a time is there; returns whether it is. */
    async reach(time) {
      const { candles } = this;
      while (candles.first > time && !this.complete && candles.rows.size < MOST) {
        const before = candles.first;
        const wanted = Math.ceil((before - time) / candles.seconds) + NEAR;
        await this.load(Math.min(LARGEST, Math.max(CHUNK, wanted)));
        if (candles.first === before) break;
      }
      return candles.first <= time;
    }
  }

  History.MOST = MOST;
  Tickloop.History = History;
})();

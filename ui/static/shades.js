/* Two primitives of lightweight-charts: a band between two prices, and gaps over time. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const FONT = 10; // CSS pixels
  const DASH = 4;

  /* The interface of a primitive; `draw` gets the context, its sizes and both pixel ratios. */
  class Shade {
    attached({ chart, series, requestUpdate }) {
      Object.assign(this, { chart, series, requestUpdate });
    }

    updateAllViews() {}

    paneViews() {
      const draw = (target) => target.useBitmapCoordinateSpace((scope) => this.draw(scope));
      return [{ zOrder: () => "bottom", renderer: () => ({ draw }) }];
    }
  }

  /* Between the confidence and its mirror: no signal here. Each stretch of time has its own. */
  class Band extends Shade {
    constructor(thresholds) {
      super();
      this.thresholds = thresholds;
    }

    draw({ context, bitmapSize, horizontalPixelRatio, verticalPixelRatio }) {
      const scale = this.chart.timeScale();
      const x = (time) => {
        const index = scale.timeToIndex(time, true);
        return index === null ? 0 : scale.logicalToCoordinate(index) * horizontalPixelRatio;
      };
      this.thresholds.forEach(([since, confidence], i) => {
        const left = i ? Math.max(0, x(since)) : 0;
        const next = this.thresholds[i + 1];
        const right = next ? Math.max(0, x(next[0])) : bitmapSize.width;
        const [top, bottom] = [confidence, 1 - confidence].map(
          (price) => this.series.priceToCoordinate(price) * verticalPixelRatio
        );
        context.fillStyle = Tickloop.colour("band");
        context.fillRect(left, top, right - left, bottom - top);
        context.fillStyle = Tickloop.colour("muted");
        for (const y of [top, bottom]) this.dash(context, left, right, y, verticalPixelRatio);
      });
    }

    dash(context, left, right, y, ratio) {
      for (let x = left; x < right; x += 2 * DASH * ratio) {
        context.fillRect(x, y, Math.min(DASH * ratio, right - x), ratio);
      }
    }
  }

  /* Where trades may be missing. */
  class Gaps extends Shade {
    constructor() {
      super();
      this.ranges = []; // first and last candle of each
      this.visible = true;
    }

    show(visible) {
      this.visible = visible;
      this.requestUpdate?.();
    }

    set(bars) {
      this.ranges = [];
      const seconds = bars.length > 1 ? bars[1].time - bars[0].time : 1;
      for (const bar of bars) if (bar.gap) this.add(bar.time, seconds);
      this.requestUpdate?.();
    }

    /* A candle of some seconds with a gap. */
    add(time, seconds) {
      const last = this.ranges.at(-1);
      if (last && time <= last[1] + seconds) last[1] = Math.max(last[1], time);
      else this.ranges.push([time, time]);
    }

    draw({ context, bitmapSize, horizontalPixelRatio, verticalPixelRatio }) {
      if (!this.visible) return;
      const scale = this.chart.timeScale();
      const half = scale.options().barSpacing / 2;
      context.font = `${FONT * verticalPixelRatio}px system-ui, sans-serif`;
      for (const range of this.ranges) {
        const [from, to] = range.map((time) => scale.timeToCoordinate(time));
        if (from === null || to === null) continue;
        const left = (from - half) * horizontalPixelRatio;
        const width = Math.max((to - from + 2 * half) * horizontalPixelRatio, 2);
        context.fillStyle = Tickloop.colour("gap");
        context.fillRect(left, 0, width, bitmapSize.height);
        context.fillStyle = Tickloop.colour("muted");
        context.fillText("gap", left + 2, bitmapSize.height - 6 * verticalPixelRatio);
      }
    }
  }

  Tickloop.Band = Band;
  Tickloop.Gaps = Gaps;
})();

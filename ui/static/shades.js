/* Two primitives of lightweight-charts: a band between two prices, and gaps over time. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const FONT = 10; // CSS pixels

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

  /* Between the confidence and its mirror: no signal here. */
  class Band extends Shade {
    constructor(confidence) {
      super();
      this.confidence = confidence;
    }

    draw({ context, bitmapSize, verticalPixelRatio }) {
      const [top, bottom] = [this.confidence, 1 - this.confidence].map((price) =>
        this.series.priceToCoordinate(price)
      );
      if (top === null || bottom === null) return;
      context.fillStyle = Tickloop.colour("band");
      const height = (bottom - top) * verticalPixelRatio;
      context.fillRect(0, top * verticalPixelRatio, bitmapSize.width, height);
    }
  }

  /* Where trades may be missing. */
  class Gaps extends Shade {
    constructor() {
      super();
      this.ranges = []; // first and last second of each
    }

    set(bars) {
      this.ranges = [];
      for (const bar of bars) if (bar.gap) this.add(bar.time);
      this.requestUpdate?.();
    }

    add(time) {
      const last = this.ranges.at(-1);
      if (last && time <= last[1] + 1) last[1] = Math.max(last[1], time);
      else this.ranges.push([time, time]);
    }

    draw({ context, bitmapSize, horizontalPixelRatio, verticalPixelRatio }) {
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

/* What is under the mouse: the candle's values above the chart, a trade's in a box beside it. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;
  const BROKEN = 2; // of a bar's gap, see streaming/bars.py
  const BESIDE_PX = 14;

  class Legend {
    constructor(candles, frame) {
      Object.assign(this, { candles, frame, node: frame.querySelector("#legend"), tip: byId("trade-tip") });
      candles.chart.subscribeCrosshairMove((at) => {
        this.hover(at.time);
        this.point(String(at.hoveredObjectId ?? ""), at.point);
      });
    }

    hover(time) {
      this.hovered = time;
      this.describe();
      this.candles.strip.describe(time);
    }

    /* Write the candle under the mouse, or the newest one. */
    describe() {
      const { rows, last, decimals } = this.candles;
      const bar = rows.get(this.hovered) ?? rows.get(last);
      const [text, sma20, sma50] = this.node.children;
      if (!bar) {
        text.textContent = "no bars yet";
        sma20.textContent = sma50.textContent = "";
        return;
      }
      const price = (value) => (value === null ? "needs more bars" : value.toFixed(decimals));
      const { full, zone } = Tickloop.time;
      const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(price);
      const gap = bar.gap & BROKEN ? "  BROKEN: a wrong print" : bar.gap ? "  GAP: trades are missing" : "";
      const volume = Number(bar.volume.toPrecision(8));
      text.textContent = `${full(bar.time)} ${zone(bar.time)}  O ${open}  H ${high}  L ${low}  C ${close}  V ${volume}${gap}`;
      sma20.textContent = `SMA 20 ${price(bar.sma20)}`;
      sma50.textContent = `SMA 50 ${price(bar.sma50)}`;
    }

    /* What can be clicked has a hand; a trade has a box. */
    point(id, point) {
      const [what, key] = id.split(":");
      this.frame.querySelector("#chart").classList.toggle("over-mark", what === "cycle");
      const trade = what === "trade" ? this.candles.marks.trades.get(key) : null;
      this.tip.hidden = !trade;
      if (!trade || !point) return;
      this.tip.replaceChildren(...this.lines(trade).map((text) => element("p", text)));
      const { width } = this.frame.getBoundingClientRect();
      const right = point.x > width / 2;
      this.tip.style.left = right ? "auto" : `${point.x + BESIDE_PX}px`;
      this.tip.style.right = right ? `${width - point.x + BESIDE_PX}px` : "auto";
      this.tip.style.top = `${Math.max(60, point.y)}px`;
    }

    lines({ learner, side, at, price, up, bps }) {
      const name = this.candles.marks.learners[learner];
      const { full, zone } = Tickloop.time;
      const what = `${name} ${side > 0 ? "bought" : "sold"} 1 unit at ${price.toFixed(this.candles.decimals)}, on paper`;
      const forecast = up === null ? "by its action" : `forecast: ${(100 * up).toFixed(1)} % that it rises; ${this.threshold(at)}`;
      const profit = bps === null ? [] : [`this trade: ${bps >= 0 ? "+" : ""}${bps.toFixed(1)} bp after costs`];
      return [what, `${full(at)} ${zone(at)}`, forecast, ...profit];
    }

    threshold(at) {
      return `a signal from ${Math.round(100 * this.candles.strip.confidenceAt(at))} % on`;
    }
  }

  Tickloop.Legend = Legend;
})();

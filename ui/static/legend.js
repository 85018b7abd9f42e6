/* What is under the mouse: the candle's values above the chart, a mark's in a box beside it. */
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
        // A new bar moves the chart under a crosshair that rests; a candle stepped to keeps it.
        if (!at.sourceEvent && this.stepped && this.place()) return;
        this.stepped = null;
        this.hover(at.time);
        this.point(String(at.hoveredObjectId ?? ""), at.point);
      });
    }

    /* Keep the crosshair on a candle until the mouse takes it. */
    step(time) {
      this.stepped = time;
      if (this.place()) this.hover(time); // the library tells of the mouse only
    }

    place() {
      const { chart, rows, unit, candles } = this.candles;
      const bar = rows.get(this.stepped);
      if (bar) chart.setCrosshairPosition(bar.close / unit, this.stepped, candles);
      return bar !== undefined;
    }

    leave() {
      this.stepped = null;
      this.candles.chart.clearCrosshairPosition();
      this.hover(undefined);
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
      const price = (value) => (value === null ? "needs more bars" : Tickloop.price(value, decimals));
      const { full, zone } = Tickloop.time;
      const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(price);
      const gap = bar.gap & BROKEN ? "  BROKEN: a wrong print" : bar.gap ? "  GAP: trades are missing" : "";
      const named = { O: open, H: high, L: low, C: close, V: Number(bar.volume.toPrecision(8)) };
      const values = Object.entries(named).map((pair) => pair.join("\u00a0")).join("  "); // each in one piece
      text.textContent = `${full(bar.time)} ${zone(bar.time)}  ${values}${gap}`;
      sma20.textContent = `SMA 20 ${price(bar.sma20)}`;
      sma50.textContent = `SMA 50 ${price(bar.sma50)}`;
    }

    /* What can be clicked has a hand; each mark has a box. */
    point(id, point) {
      const at = id.indexOf(":");
      const [what, key] = [id.slice(0, at), id.slice(at + 1)];
      this.frame.querySelector("#chart").classList.toggle("over-mark", what === "cycle");
      const lines = this.linesOf(what, key);
      this.tip.hidden = !lines.length;
      if (!lines.length || !point) return;
      this.tip.replaceChildren(...lines.map((text) => element("p", text)));
      const { width } = this.frame.getBoundingClientRect();
      const right = point.x > width / 2;
      this.tip.style.left = right ? "auto" : `${point.x + BESIDE_PX}px`;
      this.tip.style.right = right ? `${width - point.x + BESIDE_PX}px` : "auto";
      this.tip.style.top = `${Math.max(60, Math.min(point.y, this.frame.clientHeight - this.tip.offsetHeight - BESIDE_PX))}px`;
    }

    linesOf(what, key) {
      const { trades, cycles, champions, learners } = this.candles.marks;
      const { full, zone } = Tickloop.time;
      const when = (ts) => `${full(ts)} ${zone(ts)}`;
      if (what === "trade" && trades.has(key)) return this.trade(trades.get(key));
      if (what === "cycle" && cycles.has(Number(key))) {
        return [`training cycle ${key}`, when(cycles.get(Number(key)).time), "click: what each learner logged in it"];
      }
      if (what === "champion" && champions.has(key)) {
        const { learner, version, time } = champions.get(key);
        const serves = version ? `version ${version} serves from here on` : "no version serves from here on";
        return [`${(learners[learner] ?? "?").split(".")[0]}: ${serves}`, when(time)];
      }
      return [];
    }

    trade({ learner, side, at, price, up, bps }) {
      const name = this.candles.marks.learners[learner];
      const { full, zone } = Tickloop.time;
      const what = `${name} ${side > 0 ? "bought" : "sold"} 1 unit at ${Tickloop.price(price, this.candles.decimals)}, on paper`;
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

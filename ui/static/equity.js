/* Equity of the paper accounts over time, and below it how far each is under its highest. */
(function () {
  "use strict";
  const L = window.LightweightCharts;
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const FALL = 1; // pane

  class Equity {
    constructor(id) {
      const host = Tickloop.byId(id);
      this.empty = host.parentElement.querySelector(".empty");
      this.lines = new Map(); // learner -> its series
      this.chart = Tickloop.createTimeChart(host, {
        autoSize: true,
        rightPriceScale: { borderVisible: false, entireTextOnly: true },
        handleScroll: false,
        handleScale: false,
      });
      this.chart.addPane(true);
      this.chart.panes()[0].setStretchFactor(2);
      new ResizeObserver(() => this.chart.timeScale().fitContent()).observe(host);
      this.recolour();
    }

    /* Curves by learner: points [time, profit, fall]. */
    show(curves) {
      const names = Object.keys(curves);
      for (const [name, series] of this.lines) {
        if (names.includes(name)) continue;
        for (const each of series) this.chart.removeSeries(each);
        this.lines.delete(name);
      }
      names.forEach((name, i) => {
        const [equity, fall] = this.series(name, i);
        equity.setData(curves[name].map(([time, value]) => ({ time, value })));
        fall.setData(curves[name].map(([time, , value]) => ({ time, value: -value })));
      });
      this.chart.timeScale().fitContent();
      this.empty.hidden = names.some((name) => curves[name].length);
    }

    series(name, i) {
      if (!this.lines.has(name)) {
        const options = {
          lineWidth: 2,
          priceLineVisible: false,
          priceFormat: { type: "custom", formatter: (value) => `${value.toFixed(1)} bp`, minMove: 0.1 },
          color: Tickloop.colour(`c${i % Tickloop.SERIES}`),
        };
        this.lines.set(name, [
          this.chart.addSeries(L.LineSeries, options),
          this.chart.addSeries(L.LineSeries, { ...options, lineWidth: 1 }, FALL),
        ]);
      }
      return this.lines.get(name);
    }

    recolour() {
      this.chart.applyOptions(Tickloop.chartOptions(false));
      [...this.lines.values()].forEach((series, i) => {
        for (const each of series) each.applyOptions({ color: Tickloop.colour(`c${i % Tickloop.SERIES}`) });
      });
    }
  }

  Tickloop.Equity = Equity;
})();

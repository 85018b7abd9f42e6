/* What is drawn over the candles, each by choice; and what is on the screen, to take away. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId } = Tickloop;
  const KEY = "tickloop-overlays";

  class Overlays {
    constructor(candles) {
      this.hidden = new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
      for (const box of document.querySelectorAll("#overlays input")) {
        box.checked = !this.hidden.has(box.name);
        if (!box.checked) candles.show(box.name, false);
        box.onchange = () => {
          if (box.checked) this.hidden.delete(box.name);
          else this.hidden.add(box.name);
          localStorage.setItem(KEY, JSON.stringify([...this.hidden]));
          candles.show(box.name, box.checked);
        };
      }
      closeOutside(document.querySelectorAll("#tools details"));
      byId("copy-csv").onclick = () => this.take(new Blob([csv(candles)], { type: "text/csv" }), "csv");
      byId("copy-png").onclick = () =>
        candles.chart.takeScreenshot(true).toBlob((blob) => this.take(blob, "png"), "image/png");
    }

    /* Copy it; where the browser does not let us (no https), save it. */
    async take(blob, kind) {
      byId("copy").open = false;
      try {
        if (kind === "csv") await navigator.clipboard.writeText(await blob.text());
        else await navigator.clipboard.write([new ClipboardItem({ [blob.type]: blob })]);
        this.say(`${kind.toUpperCase()} copied`);
      } catch {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = `tickloop.${kind}`;
        link.click();
        URL.revokeObjectURL(link.href);
        this.say(`saved as ${link.download}`);
      }
    }

    say(text) {
      byId("copied").textContent = text;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (byId("copied").textContent = ""), 4000);
    }
  }

  /* A menu closes with Escape, or by a click elsewhere. */
  const closeOutside = (menus) => {
    const close = (menu) => (menu.open = false);
    document.addEventListener("click", ({ target }) => {
      for (const menu of menus) if (!menu.contains(target)) close(menu);
    });
    for (const menu of menus) {
      menu.addEventListener("keydown", ({ key }) => {
        if (key !== "Escape") return;
        close(menu);
        menu.querySelector("summary").focus();
      });
    }
  };

  /* The candles on the screen, with the forecasts about them. */
  const csv = ({ chart, rows, strip }) => {
    const range = chart.timeScale().getVisibleRange() ?? { from: -Infinity, to: Infinity };
    const learners = strip.forecasters();
    const head = ["time_utc", "open", "high", "low", "close", "volume", "sma_20", "sma_50", "gap"];
    const names = learners.map((i) => `p_up_${strip.learners[i]}`);
    const lines = [...rows.values()]
      .filter(({ time }) => time >= range.from && time <= range.to)
      .map((bar) => {
        const forecasts = strip.rows.get(bar.time)?.probabilities ?? [];
        const values = [bar.open, bar.high, bar.low, bar.close, bar.volume, bar.sma20, bar.sma50, bar.gap];
        const cells = [...values, ...learners.map((i) => forecasts[i])];
        return [new Date(1000 * bar.time).toISOString(), ...cells.map((value) => value ?? "")].join(",");
      });
    return [[...head, ...names].join(","), ...lines, ""].join("\n");
  };

  Tickloop.Overlays = Overlays;
})();

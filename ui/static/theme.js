/* Dark or light: what was chosen here before, else what the system prefers (Gradio's doing). */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const KEY = "tickloop-theme";

  const apply = () => {
    const chosen = localStorage.getItem(KEY);
    if (chosen) document.body.classList.toggle("dark", chosen === "dark");
  };

  const toggle = () => {
    const dark = !document.body.classList.contains("dark");
    localStorage.setItem(KEY, dark ? "dark" : "light");
    apply();
  };

  /* Keep `charts` in the colours of the theme. */
  Tickloop.followTheme = (charts) => {
    apply();
    Tickloop.byId("theme").onclick = toggle;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(apply));
    let dark = null;
    const recolour = () => {
      const now = document.body.classList.contains("dark");
      if (now === dark) return; // another class of the body has changed
      dark = now;
      Tickloop.forgetColours();
      for (const chart of charts) chart.recolour();
    };
    new MutationObserver(recolour).observe(document.body, { attributeFilter: ["class"] });
    recolour();
  };
})();

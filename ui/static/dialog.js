/* The one dialog that asks before something is done. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const { byId, element } = Tickloop;

  /* Open it; resolves to whether it was confirmed. Escape is Cancel.
     `parts` are texts, each a paragraph, or elements. */
  Tickloop.confirm = (title, parts, yes) =>
    new Promise((resolve) => {
      const dialog = byId("confirm");
      byId("confirm-title").textContent = title;
      byId("confirm-text").replaceChildren(
        ...parts.map((part) => (typeof part === "string" ? element("p", part) : part))
      );
      byId("confirm-yes").textContent = yes;
      byId("confirm-yes").onclick = () => dialog.close("yes");
      byId("confirm-no").onclick = () => dialog.close("no");
      dialog.onclose = () => resolve(dialog.returnValue === "yes");
      dialog.returnValue = "no";
      dialog.showModal();
      byId("confirm-no").focus();
    });
})();

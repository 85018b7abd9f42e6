/* Gradio's loading spinner keeps a clock that asks for every animation frame, for ever, even once it
   is gone: a third of the page's work. Whatever frame was asked for before our charts exist is the
   spinner's: forget it, and the browser only draws when there is something to draw. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const SPINNER = '[data-testid="status-tracker"]:not(.hide)';
  const MOST_PENDING = 100;
  const PATIENCE_MS = 3000; // a page with a spinner is better than none

  /* Tell whether the spinner is gone; then its clock is stopped as well. */
  Tickloop.stopSpinner = () => {
    if (document.querySelector(SPINNER) && performance.now() < PATIENCE_MS) return false;
    const newest = requestAnimationFrame(() => {});
    for (let id = newest; id > newest - MOST_PENDING; id -= 1) cancelAnimationFrame(id);
    return true;
  };
})();

/* Gradio's loading spinner counts its seconds in every animation frame, and goes on for ever once it
   is gone: a third of the page's work. Its count is stopped here, and no other's frame is touched.

   The spinner asks for its next frame right after `performance.now()`, so that the id of that frame
   is one more than that of a frame asked for within the call. */
(function () {
  "use strict";
  const SPINNER = /\/statustracker/; // Gradio's script, by which its calls are recognised
  const LINGER_MS = 1000; // for a second spinner

  performance.now = () => {
    if (SPINNER.test(new Error().stack)) {
      const probe = requestAnimationFrame(() => {});
      cancelAnimationFrame(probe);
      queueMicrotask(() => cancelAnimationFrame(probe + 1));
      setTimeout(() => delete performance.now, LINGER_MS);
    }
    return Performance.prototype.now.call(performance);
  };
})();

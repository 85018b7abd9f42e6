/* Requests to the page's own server. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});

  /* Send a request; a failure has its text in `error`. */
  Tickloop.request = async (address, body, method = "POST") => {
    const options = body && {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    try {
      const answer = await fetch(address, options);
      const result = await answer.json().catch(() => ({ detail: answer.statusText }));
      return answer.ok ? result : { error: textOf(result.detail ?? answer.statusText) };
    } catch {
      return { error: "the page's server does not answer" };
    }
  };

  const textOf = (detail) => (typeof detail === "string" ? detail : "refused: not a value");
})();

/* Times as people read them: UTC or local, chosen once and kept. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const KEY = "tickloop-zone";
  const MINUTE_S = 60;
  const listeners = [];

  const isLocal = () => localStorage.getItem(KEY) === "local";

  /* Seconds to add to a unix time so that its UTC digits are those of the chosen zone. */
  const shift = (ts) => (isLocal() ? -MINUTE_S * new Date(1000 * ts).getTimezoneOffset() : 0);

  const digits = (ts) => new Date(1000 * (ts + shift(ts))).toISOString();

  Tickloop.time = {
    shift,
    zone: (ts = Date.now() / 1000) => {
      if (!isLocal()) return "UTC";
      const minutes = shift(ts) / MINUTE_S;
      const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
      return `UTC${minutes < 0 ? "-" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
    },
    clock: (ts) => digits(ts).slice(11, 19),
    date: (ts) => digits(ts).slice(0, 10),
    full: (ts) => `${digits(ts).slice(0, 10)} ${digits(ts).slice(11, 19)}`,
    isLocal,
    choose: (local) => {
      localStorage.setItem(KEY, local ? "local" : "utc");
      for (const listen of listeners) listen();
    },
    onChange: (listen) => listeners.push(listen),
  };
})();

// What happens now: one stream of server-sent events for the whole page, however many parts of it listen.

import { get, listen } from "./api.js";
import { createContext, html, useContext, useEffect, useMemo, useState } from "./ui.js";

const Live = createContext(null);
const AGAIN = 2000; // ms after a refusal; twice as long after each further one
const LONGEST = 60000;

/** The feed: { state: "waiting"|"live"|"paused"|"lost", opened, now, status, paused, pause(), subscribe(listener) }; `opened` counts connections. */
export const useLive = () => useContext(Live);

/** Calls `listener(events, cursor)` with what comes, oldest first, as long as the component is there. */
export function useEvents(listener, inputs) {
  const { subscribe } = useLive();
  useEffect(() => subscribe(listener), inputs);
}

/** Listens to one site, or to all, for everything within. Pages that nobody sees do not hold a connection. */
export function LiveFeed({ site, sums, children }) {
  const [state, setState] = useState("waiting");
  const [paused, setPaused] = useState(false);
  const [opened, setOpened] = useState(0);
  const [now, setNow] = useState(null);
  const [status, setStatus] = useState(null);
  const listeners = useMemo(() => new Set(), []);
  useEffect(() => {
    setNow(null);
    return connection(site, {
      state: setState,
      open: () => setOpened((last) => last + 1),
      now: setNow,
      status: setStatus,
      events: (events, cursor) => listeners.forEach((listener) => listener(events, cursor)),
    });
  }, [site]);
  useEffect(() => first(site, sums, setNow, setStatus), [site]);
  const subscribe = useMemo(() => (listener) => (listeners.add(listener), () => listeners.delete(listener)), []);
  const feed = { state: paused ? "paused" : state, opened, now, status, paused, pause: () => setPaused(!paused), subscribe };
  return html`<${Live.Provider} value=${feed}>${children}<//>`;
}

/** What is there before the stream tells. Sums are for who sees all sites. */
function first(site, sums, setNow, setStatus) {
  let wanted = true;
  get("now", { site }).then(({ rows }) => wanted && setNow((known) => known ?? rows[0]), () => {});
  if (sums) get("status").then((status) => wanted && setStatus((known) => known ?? status), () => {});
  return () => (wanted = false);
}

/** A stream that comes back: where it was, after a pause, and when the page is looked at again. Returns how to end it. */
function connection(site, told) {
  let source = null;
  let cursor = null;
  let timer = 0;
  let wait = AGAIN;
  const open = () => {
    source = listen({ site, after: cursor }, {
      open: () => ((wait = AGAIN), told.state("live"), told.open()),
      now: told.now,
      status: told.status,
      events: (events, place) => ((cursor = Number(place)), told.events(events, cursor)),
      lost: (closed) => {
        told.state("lost");
        if (!closed) return;
        timer = setTimeout(open, wait);
        wait = Math.min(2 * wait, LONGEST);
      },
    });
  };
  const close = () => (clearTimeout(timer), source?.close(), (source = null));
  const seen = () => (document.hidden ? close() : source || open());
  document.addEventListener("visibilitychange", seen);
  seen();
  return () => (document.removeEventListener("visibilitychange", seen), close());
}

// What these pages show beside the figures lives behind the `#` of the address: #hit=NAME&at=TIME, a tab, a search.

import { useEffect, useState } from "./ui.js";

const KINDS = ["popstate", "hashchange", "address"];

/** The names and values behind the `#`. */
export const placed = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/** Changes some of them; empty ones are left out. A new entry in the history, unless it is said to replace this one. */
export function place(change, { replace = false } = {}) {
  const pairs = Object.entries({ ...placed(), ...change }).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(pairs).toString();
  history[replace ? "replaceState" : "pushState"](null, "", location.pathname + location.search + (text && `#${text}`));
  dispatchEvent(new Event("address"));
}

/** Shows one hit; whatever is known of its time finds it sooner. */
export const openHit = (hit, moment) => place({ hit, at: Number.isFinite(moment) ? new Date(moment).toISOString() : "" });

/** What is behind the `#` now. */
export function usePlace() {
  const [now, setNow] = useState(placed);
  useEffect(() => {
    const changed = () => setNow(placed());
    KINDS.forEach((kind) => addEventListener(kind, changed));
    return () => KINDS.forEach((kind) => removeEventListener(kind, changed));
  }, []);
  return now;
}

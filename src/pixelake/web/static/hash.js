// What a page of its own looks at lives behind the `#` of the address: a tab, and its parameters. `#funnels?step=path+is+/`

import { useEffect, useState } from "./ui.js";

/** { tab, given: URLSearchParams } of an address. */
export function read(hash = location.hash) {
  const [tab, ...rest] = hash.slice(1).split("?");
  return { tab, given: new URLSearchParams(rest.join("?")) };
}

/** Changes it: a new entry in the history, unless it is said to replace this one. `pairs`: [[name, value], …]; empty ones are left out. */
export function put(tab, pairs = [], { replace = false } = {}) {
  const text = new URLSearchParams(pairs.filter(([, value]) => value !== "" && value != null)).toString();
  const next = `#${tab}${text ? `?${text}` : ""}`;
  if (next === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", location.pathname + location.search + next);
  dispatchEvent(new Event("address"));
}

/** What is behind the `#` now. */
export function useHash() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    const kinds = ["popstate", "hashchange", "address"];
    kinds.forEach((kind) => addEventListener(kind, changed));
    return () => kinds.forEach((kind) => removeEventListener(kind, changed));
  }, []);
  return read(hash);
}

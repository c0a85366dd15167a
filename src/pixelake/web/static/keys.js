// Keyboard shortcuts: one key each, never while somebody types, and a list of them under `?`.

import { PERIODS, go, link, read } from "./address.js";
import { PAGES } from "./pages.js";
import { Dialog, html, useEffect, useState } from "./ui.js";

const typing = (target) => target.closest("input, textarea, select, [contenteditable], dialog, [role=menu]");

function shortcuts() {
  const flip = (name, value) => () => go({ [name]: read()[name] === value ? "" : value });
  return [
    ...PAGES.map(({ key, label, path }) => ({ key, label, act: () => location.assign(link(path)) })),
    ...PERIODS.map(({ key, label, name }) => ({ key, label, act: () => go({ period: name, from: "", to: "" }) })),
    { key: "c", label: "Compare with the period before", act: flip("compare", "true") },
    { key: "b", label: "People alone, or machines too", act: flip("people", "false") },
    { key: "f", label: "Filter", act: () => dispatchEvent(new Event("addfilter")) },
    { key: "x", label: "Take all filters away", act: () => go({ filter: [] }) },
    { key: "s", label: "Choose a site", act: () => dispatchEvent(new Event("picksite")) },
  ];
}

/** Listens for the keys; shows the list when asked. */
export function Keys() {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const all = new Map(shortcuts().map((each) => [each.key, each.act]));
    all.set("?", () => setShown(true));
    const pressed = (key) => {
      if (key.ctrlKey || key.metaKey || key.altKey || typing(key.target) || !all.has(key.key)) return;
      key.preventDefault();
      all.get(key.key)();
    };
    const asked = () => setShown(true);
    document.addEventListener("keydown", pressed);
    addEventListener("shortcuts", asked);
    return () => (document.removeEventListener("keydown", pressed), removeEventListener("shortcuts", asked));
  }, []);
  if (!shown) return null;
  const rows = [...shortcuts(), { key: "?", label: "This list" }];
  return html`<${Dialog} title="Keyboard shortcuts" done=${() => setShown(false)}><dl class="keylist">${rows.map(({ key, label }) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${label}</dd></div>`)}</dl><//>`;
}

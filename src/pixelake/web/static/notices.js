// What the roles have noticed, and which setting to set.

import { clean, h } from "./dom.js";

const MOST = 1000; // characters

function item({ level, text, setting }) {
  const sentence = clean(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`, MOST);
  const parts = setting ? sentence.split(setting) : [sentence];
  const marked = parts.flatMap((part, place) => (place ? [h("code", {}, setting), part] : [part]));
  return h("li", { class: "trouble", "data-level": level }, ...marked);
}

/** Returns a function that shows notices in a list, and hides it where there are none. */
export function notices(list) {
  let shown = "[]";
  return (told) => {
    const next = JSON.stringify(told);
    if (next === shown) return; // so that screen readers are left alone
    shown = next;
    list.replaceChildren(...told.map(item));
    list.hidden = told.length === 0;
  };
}

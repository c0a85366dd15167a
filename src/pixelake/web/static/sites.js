// Which site: a list of the busiest, and a search where there are more. Names are from outside.

import { get } from "./api.js";
import { clean, h, outside } from "./dom.js";

const FOUND = 12; // names below the search
const TYPING = 150; // ms after a key

/** Fills the list and the search; `pick` is called with the chosen name. */
export function sites({ select, find, query, found }, pick) {
  let known = new Set();
  let more = false;
  let timer = 0;

  function choose(name) {
    query.value = "";
    found.hidden = true;
    pick(name);
    show(known, name);
  }

  function show(names, chosen) {
    known = new Set([...names, ...(chosen ? [chosen] : [])]);
    // In the order of the alphabet, as far as it goes; the rest is for the search.
    const options = [...known].sort().map((name) => h("option", { value: name }, clean(name, 80)));
    const same = options.length === select.options.length - 1 && options.every((option, place) => option.value === select.options[place + 1].value);
    if (!same) select.replaceChildren(h("option", { value: "" }, "All sites"), ...options);
    select.value = chosen;
  }

  async function load(chosen) {
    const { names, total } = await get("site-names");
    more = total > names.length;
    find.hidden = !more;
    query.placeholder = `Find one of ${total.toLocaleString()} sites`;
    show(names, chosen);
  }

  async function search() {
    const text = query.value;
    const { names } = text ? await get("site-names", { search: text, limit: FOUND }) : { names: [] };
    if (text !== query.value) return;
    const buttons = names.map((name) => h("li", {}, outside("button", name, { type: "button", title: clean(name, 1000), onclick: () => choose(name) })));
    found.replaceChildren(...(names.length ? buttons : [h("li", { class: "quiet" }, "No site has this in its name.")]));
    found.hidden = !text;
  }

  function failed() {
    found.replaceChildren(h("li", { class: "quiet" }, "The sites cannot be searched now."));
    found.hidden = false;
  }

  query.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => search().catch(failed), TYPING);
  });
  find.addEventListener("keydown", (key) => {
    if (key.key === "Escape") found.hidden = true;
    if (key.key === "Enter" && key.target === query && !found.hidden) found.querySelector("button")?.click();
  });
  find.addEventListener("focusout", (left) => {
    if (!find.contains(left.relatedTarget)) found.hidden = true;
  });
  select.addEventListener("change", () => pick(select.value));
  return {
    load,
    /** Whether a site of this name might be missing in the list. */
    lacks: (name) => !more && !known.has(name),
  };
}

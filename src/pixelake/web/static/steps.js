// A condition on events as people choose it: a page, an event, or any filter in words; with the values that there are.

import { parameters, test } from "./address.js";
import { get } from "./api.js";
import { html, useEffect, useState } from "./ui.js";

export const OPERATORS = ["is", "is not", "contains", "does not contain", "matches"];
const KINDS = [["path", "Page"], ["event", "Event"], ["", "Filter"]];
const CHOSEN = /^(path|event) (is not|is|does not contain|contains|matches) ([^]*)$/;

/** A filter in words as { column, operator, value }; what is no page and no event has no column. */
export function parsed(text) {
  const told = CHOSEN.exec(text);
  return told ? { column: told[1], operator: told[2], value: told[3] } : { column: text ? "" : "path", operator: "is", value: text };
}

/** The filter in words; "" as long as it is not whole. */
export const said = ({ column, operator, value }) => (!value.trim() ? "" : column ? test(column, operator, value.trim()) : value.trim());

/** The commonest pages and events of the period: { path: […], event: […] }. */
export function useSuggestions(state) {
  const [known, setKnown] = useState({ path: [], event: [] });
  useEffect(() => {
    const stop = new AbortController();
    const look = (question, column, change) => get(question, { ...parameters(state), compare: "", limit: 60 }, { signal: stop.signal }).then(({ rows }) => {
      const values = [...new Set(rows.filter((row) => row.value != null).map((row) => change(row.value)))].filter((value) => value && value.length < 500);
      setKnown((before) => ({ ...before, [column]: values }));
    }, () => {});
    look("pages", "path", (value) => value.replace(/^[^/]*/, ""));
    look("events", "event", (value) => value);
    return () => stop.abort();
  }, [state.site, state.period, state.from, state.to]);
  return known;
}

/** Three fields for one condition. `name` tells it apart for screen readers, `change` is given the new one. */
export function Condition({ one, name, known, change }) {
  const list = `known-${name.replaceAll(/\W/g, "-")}`;
  const placeholder = { path: "/thanks", event: "purchase", "": "country is DE" }[one.column];
  return html`<span class="condition">
    <select aria-label=${`${name}: what`} value=${one.column} onChange=${(event) => change({ ...one, column: event.target.value, value: "" })}>${KINDS.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select>
    ${one.column && html`<select aria-label=${`${name}: test`} value=${one.operator} onChange=${(event) => change({ ...one, operator: event.target.value })}>${OPERATORS.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select>`}
    <input aria-label=${`${name}: value`} list=${list} maxlength="1900" autocomplete="off" placeholder=${placeholder} value=${one.value} onInput=${(event) => change({ ...one, value: event.target.value })} />
    <datalist id=${list}>${(known[one.column] ?? []).map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>
  </span>`;
}

// What is looked at lives in the address, under the names that the API has: back, reload and sharing work.
// site, period | from & to, zone, interval, compare=true, people=false, filter (any number of times).

import { useEffect, useState } from "./ui.js";

export const PERIODS = [
  { name: "today", label: "Today", key: "d" },
  { name: "yesterday", label: "Yesterday", key: "e" },
  { name: "24h", label: "Last 24 hours", key: "h" },
  { name: "7d", label: "Last 7 days", key: "w" },
  { name: "last-week", label: "Last week", key: "l" },
  { name: "30d", label: "Last 30 days", key: "t" },
  { name: "month", label: "This month", key: "m" },
  { name: "last-month", label: "Last month", key: "p" },
  { name: "12mo", label: "Last 12 months", key: "y" },
  { name: "year", label: "This year", key: "j" },
];
export const DEFAULT = "30d";
const SINGLE = ["site", "period", "from", "to", "zone", "interval", "compare", "people"];

/** The state of an address: every name of SINGLE as text ("" where it is not there), and `filter` as a list. */
export function read(search = location.search) {
  const given = new URLSearchParams(search);
  const state = Object.fromEntries(SINGLE.map((name) => [name, given.get(name) ?? ""]));
  return { ...state, filter: given.getAll("filter").filter(Boolean) };
}

/** The search part of an address for a state; what is the default is left out. */
export function write(state) {
  const pairs = SINGLE.filter((name) => state[name] && !(name === "period" && state.period === DEFAULT)).map((name) => [name, state[name]]);
  const text = new URLSearchParams([...pairs, ...state.filter.map((each) => ["filter", each])]).toString();
  return text ? `?${text}` : "";
}

/** What a question is asked with: the parameters of a state. */
export function parameters({ site, period, from, to, zone, compare, people, filter }) {
  const span = from || to ? { from, to } : { period: period || DEFAULT };
  return { site, ...span, zone, people, filter, ...(compare ? { compare } : {}) };
}

/** Changes part of the state: a new entry in the history, unless it is said to replace this one. */
export function go(change, { replace = false } = {}) {
  const search = write({ ...read(), ...change });
  history[replace ? "replaceState" : "pushState"](null, "", location.pathname + search + location.hash);
  dispatchEvent(new Event("address"));
}

/** The link to another page of the dashboard that looks at the same. */
export function link(path, change = {}) {
  const share = location.pathname.match(/^\/share\/[^/]+/)?.[0];
  return (share ?? path) + write({ ...read(), ...change });
}

/** The state, as the address has it now. */
export function useAddress() {
  const [state, setState] = useState(read);
  useEffect(() => {
    const changed = () => setState(read());
    addEventListener("popstate", changed);
    addEventListener("address", changed);
    return () => (removeEventListener("popstate", changed), removeEventListener("address", changed));
  }, []);
  return state;
}

// --- filters, in the words of the API -------------------------------------------------------------

// What words cannot say: a value that begins like an operator or is framed by spaces, a name with spaces.
const ODD_VALUE = /^not(\s|$)|^\s|\s$/i;
const ODD_NAME = /\s/;
const PLAIN = { "is not": "is", "does not contain": "contains", "does not match": "matches" };

/** `country is DE`; without a value: where there is none. What words cannot say is said in JSON. */
export function test(column, operator, value = "") {
  const text = String(value ?? "");
  if (!ODD_NAME.test(column) && !ODD_VALUE.test(text)) return `${column} ${operator}${text && ` ${text}`}`;
  const one = [PLAIN[operator] ?? operator, column, [text]];
  return JSON.stringify(operator in PLAIN ? ["not", one] : one);
}

const LONGEST = 2000; // characters that the API takes of a value

/** Whether the API can be asked for a value: not for what is longer than it takes, or what no address can carry. */
export const askable = (value) => String(value ?? "").length <= LONGEST && !/[\0\p{Cs}]/u.test(String(value ?? ""));

/** A filter as people read it, also one in JSON. */
export function inWords(filter) {
  try {
    const told = JSON.parse(filter);
    const [negated, [operator, column, values]] = told[0] === "not" ? ["not: ", told[1]] : ["", told];
    const isPlain = [column, operator, ...[values].flat()].every((each) => typeof each === "string" || typeof each === "number");
    return isPlain ? `${negated}${column} ${operator} ${[values].flat().join(", ")}` : filter;
  } catch {
    return filter;
  }
}

/** The filters with one more; one of the same words stays as it is. */
export const added = (filters, one) => (filters.includes(one) ? filters : [...filters, one]);

/** The filters without one. */
export const removed = (filters, one) => filters.filter((each) => each !== one);

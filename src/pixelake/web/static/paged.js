// A list of the newest rows: page by page behind the last one's cursor, and what has come since on top when it is wanted. No row stands in it twice, and none is left out.

import { explain, get } from "./api.js";
import { useTick } from "./asking.js";
import { useEffect, useRef, useState } from "./ui.js";
import { blame } from "./wrong.js";

const PAGE = 100;
const TYPING = 250; // ms after a key
const EMPTY = { name: null, rows: [], answer: null, next: false, newest: null };

/**
 * Rows of a question that has `before`: { rows, answer, fault, old, fresh, more, busy, showFresh(), showMore(), again() }.
 * `fresh` is how many have come since, `Infinity` where they are more than a page.
 */
export function usePaged(question, given) {
  const name = JSON.stringify([question, given]);
  const tick = useTick();
  const [list, setList] = useState(EMPTY);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const [tries, setTries] = useState(0);
  const current = useRef(name);
  current.current = name;
  const asked = useRef({}).current;
  const look = (before, signal) => get(question, { ...given, limit: PAGE, before }, { signal });
  const change = (next) => current.current === name && (setList((known) => next(known.name === name ? known : { ...EMPTY, name })), setFault(""));
  const failed = (error) => current.current === name && error.name !== "AbortError" && (blame(error, given), setFault(explain(error)));
  /** One request of a kind at a time: a slow answer is waited for, not asked for again. */
  const once = (kind, ask) => {
    if (asked[kind]?.name === name) return;
    asked[kind]?.stop.abort();
    const own = (asked[kind] = { name, stop: new AbortController() });
    ask(own.stop.signal).finally(() => asked[kind] === own && ((asked[kind] = null), kind === "older" && setBusy(false)));
  };
  useEffect(() => {
    const stop = new AbortController();
    setBusy(asked.older?.name === name);
    const timer = setTimeout(() => look("", stop.signal).then((answer) => change((known) => begun(known, answer)), failed), list.name && given.search ? TYPING : 0);
    return () => (clearTimeout(timer), stop.abort());
  }, [name, tries]);
  useEffect(() => {
    if (tick && list.name === name) once("newest", (signal) => look("", signal).then((answer) => change((known) => (known.rows.length ? { ...known, newest: answer } : begun(known, answer))), () => {}));
  }, [tick]);
  useEffect(() => () => Object.values(asked).forEach((each) => each?.stop.abort()), []);
  const showMore = () => {
    const before = list.rows.at(-1)?.cursor;
    if (!before || list.name !== name) return;
    setBusy(true);
    once("older", (signal) => look(before, signal).then((answer) => change((known) => continued(known, before, answer)), failed));
  };
  const fresh = list.newest && list.name === name ? unseen(list) : 0;
  return { rows: list.rows, answer: list.answer, fault, old: list.name !== name || Boolean(fault), fresh, more: list.next, busy, showFresh: () => change(refreshed), showMore, again: () => setTries(tries + 1) };
}

/** The first page, in the place of all. */
const begun = (list, answer) => ({ ...list, rows: answer.rows, answer, next: Boolean(answer.next), newest: null });

/** With the page behind a row; as it is where that is no longer the last: the list was begun anew meanwhile. */
const continued = (list, before, answer) => (list.rows.at(-1)?.cursor === before ? { ...list, rows: [...list.rows, ...answer.rows], next: Boolean(answer.next) } : list);

/** With the newest page on top, and what is shown below that; begun anew where the two do not meet. */
function refreshed(list) {
  if (!list.newest) return list;
  const last = list.newest.rows.at(-1)?.cursor;
  const at = list.rows.findIndex((row) => row.cursor === last);
  return at < 0 ? begun(list, list.newest) : { ...list, rows: [...list.newest.rows, ...list.rows.slice(at + 1)], answer: list.newest, newest: null };
}

/** How many of the newest are not shown; where that is all of a page nobody knows. */
function unseen({ rows, newest }) {
  const shown = new Set(rows.map((row) => row.cursor));
  const found = newest.rows.filter((row) => !shown.has(row.cursor)).length;
  return found >= PAGE ? Infinity : found;
}

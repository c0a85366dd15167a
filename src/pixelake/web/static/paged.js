// A list of the newest rows: page by page behind the last one's cursor, and what has come since on top when it is wanted.

import { explain, get } from "./api.js";
import { useTick } from "./asking.js";
import { useEffect, useRef, useState } from "./ui.js";

const PAGE = 100;
const TYPING = 250; // ms after a key

/**
 * Rows of a question that has `before`: { rows, answer, fault, old, fresh, more, showFresh(), showMore(), again() }.
 * `fresh` is how many have come since, `Infinity` where they are more than a page.
 */
export function usePaged(question, given) {
  const name = JSON.stringify([question, given]);
  const tick = useTick();
  const [state, setState] = useState({ name: null, rows: [], answer: null, next: false });
  const [newer, setNewer] = useState(null);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const current = useRef(name);
  current.current = name;
  const look = (before, signal) => get(question, { ...given, limit: PAGE, before }, { signal });
  const failed = (error) => current.current === name && error.name !== "AbortError" && setFault(explain(error));
  const begin = (answer) => current.current === name && (setState({ name, rows: answer.rows, answer, next: Boolean(answer.next) }), setNewer(null), setFault(""));
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => look("", stop.signal).then(begin, failed), state.name && given.search ? TYPING : 0);
    return () => (clearTimeout(timer), stop.abort());
  }, [name, tries]);
  useEffect(() => {
    if (!tick || state.name !== name) return;
    const stop = new AbortController();
    look("", stop.signal).then((answer) => (state.rows.length ? setNewer(answer) : begin(answer)), () => {});
    return () => stop.abort();
  }, [tick]);
  const showMore = () => {
    setBusy(true);
    look(state.rows.at(-1).cursor).then((answer) => current.current === name && (setState((known) => ({ ...known, rows: [...known.rows, ...answer.rows], next: Boolean(answer.next) })), setFault("")), failed).finally(() => setBusy(false));
  };
  const fresh = newer && state.name === name ? since(newer.rows, state.rows[0]) : 0;
  return { rows: state.rows, answer: state.answer, fault, old: state.name !== name || Boolean(fault), fresh, more: state.next, busy, showFresh: () => begin(newer), showMore, again: () => setTries(tries + 1) };
}

/** How many rows stand before one; beyond a page nobody knows. */
function since(rows, top) {
  const at = rows.findIndex((row) => row.hit_id === top?.hit_id);
  return at < 0 ? (rows.length < PAGE ? rows.length : Infinity) : at;
}

// Questions of a page: asked again when something happens, never more often than the lake can change.

import { explain, get } from "./api.js";
import { useEvents, useLive } from "./live.js";
import { useEffect, useRef, useState } from "./ui.js";
import { blame } from "./wrong.js";

const SOON = 300; // ms after an event: the first look at the lake
const SETTLED = 6500; // ms after it: by then the lake has it (its window is 5 s)
const GAP = 4000; // ms between two looks
const FRESH = 90000; // ms since a minute began whose hits the lake may not have yet
const IDLE = 30000; // ms: the period moves on also when nothing happens

/** A number that grows when the answers may have changed. Still while paused, or while nobody looks. */
export function useTick() {
  const [tick, setTick] = useState(0);
  const { now, paused } = useLive();
  const timing = useRef({ asked: performance.now(), settle: 0, timer: 0, due: 0 }).current;
  const plan = (delay) => {
    const due = performance.now() + Math.max(delay, timing.asked + GAP - performance.now());
    if (timing.due && timing.due <= due + 50) return;
    clearTimeout(timing.timer);
    timing.due = due;
    timing.timer = setTimeout(look, due - performance.now());
  };
  const look = () => {
    timing.due = 0;
    timing.asked = performance.now();
    if (!document.hidden) setTick((last) => last + 1);
    plan(timing.settle > performance.now() ? timing.settle - performance.now() : IDLE);
  };
  useEvents(() => {
    timing.settle = performance.now() + SETTLED;
    if (!paused) plan(SOON);
  }, [paused]);
  useEffect(() => {
    if (!paused) plan(IDLE);
    return () => (clearTimeout(timing.timer), (timing.due = 0));
  }, [paused]);
  const isFresh = Boolean(now?.minutes?.some(({ at, hits }) => hits && Date.now() - at < FRESH));
  useEffect(() => void (isFresh && !paused && plan(SETTLED)), [isFresh, tick]); // what came just before this page is on its way, on a busy machine for longer
  return tick;
}

/**
 * The answer to a question: { answer, fault, old, again }. What was there stays, as `old`, until the next one comes.
 * `again()` asks anew also where an answer is under way: it may be of before a change.
 * Without a `question` nothing is asked.
 */
export function useAnswer(question, parameters, tick = 0) {
  const [found, setFound] = useState({ name: null, answer: null, fault: "" });
  const [tries, setTries] = useState(0);
  const asking = useRef(null);
  const name = question && JSON.stringify([question, parameters]);
  useEffect(() => {
    if (!name || (asking.current?.name === name && asking.current.tries === tries)) return; // a slow answer is waited for, not asked for at each tick
    asking.current?.stop.abort();
    const own = (asking.current = { name, tries, stop: new AbortController() });
    const done = (change) => own === asking.current && ((asking.current = null), setFound(change));
    get(question, parameters, { signal: own.stop.signal }).then(
      (answer) => done({ name, answer, fault: "" }),
      (error) => (blame(error, parameters), done((known) => ({ ...known, fault: explain(error), failed: name }))),
    );
  }, [name, tick, tries]);
  useEffect(() => () => (asking.current?.stop.abort(), (asking.current = null)), []);
  const isOld = found.name !== name;
  const fault = found.fault && (found.failed === name || !isOld) ? found.fault : "";
  return { answer: found.answer, fault, old: isOld || Boolean(fault), again: () => setTries(tries + 1) };
}

/** Whether an element has come near the screen: until then what reads much is not asked. */
export function useNear() {
  const place = useRef(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const watcher = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && (setNear(true), watcher.disconnect()), { rootMargin: "200px" });
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return [place, near];
}

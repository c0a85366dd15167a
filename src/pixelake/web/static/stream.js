// The newest events as they come. A pause holds them back and counts what waits.

import { explain, get } from "./api.js";
import { clockTime, count, country } from "./format.js";
import { link } from "./address.js";
import { useEvents, useLive } from "./live.js";
import { Marks, momentOf, pageOf, sourceOf, withWhat } from "./marks.js";
import { openHit } from "./place.js";
import { Failure, Outside, Skeleton, clean, html, speak, useEffect, useRef, useState } from "./ui.js";

const SHOWN = 60;
const FRESH = 2000; // ms for which a row is marked as new

/** What the stream shows: { rows, waiting, fault, again, release }. `flow.total` counts also what is too much to be sent. */
export function useStream(site, flow) {
  const { paused, opened } = useLive();
  const [rows, setRows] = useState(null);
  const [fault, setFault] = useState("");
  const [tries, setTries] = useState(0);
  const held = useRef({ events: [], number: 0, total: 0 }).current;
  const [, beat] = useState(0);
  const show = (events) => setRows((known) => merged(known ?? [], events));
  useEffect(() => setRows(null), [site]);
  useEffect(() => {
    const stop = new AbortController();
    get("recent", { site, limit: SHOWN }, { signal: stop.signal }).then(
      (events) => (setRows((known) => merged(events, known ?? [])), setFault("")),
      (error) => stop.signal.aborted || setFault(explain(error)),
    );
    return () => stop.abort();
  }, [site, tries, opened]); // also once it is connected: from there on nothing is missed
  useEffect(() => {
    if (paused) return void Object.assign(held, { number: 0, total: flow.total });
    if (held.events.length) show(held.events);
    held.events = [];
  }, [paused]);
  useEvents((events) => {
    const fresh = events.map((event) => ({ ...event, shownAt: performance.now() }));
    if (!paused) return show(fresh);
    held.events = [...held.events, ...fresh].slice(-SHOWN);
    held.number += fresh.length;
    beat((last) => last + 1);
  }, [paused]);
  const waiting = paused ? Math.max(held.number, flow.total - held.total) : 0;
  return { rows: rows ?? [], loaded: Boolean(rows), waiting, fault, again: () => setTries(tries + 1) };
}

/** Newest first, each once, as many as are shown. `newer` is oldest first, or a list like `rows`. */
function merged(rows, newer) {
  const byName = new Map([...rows, ...newer].map((row) => [row.hit_id, row]));
  return [...byName.values()].sort((one, other) => other.cursor - one.cursor).slice(0, SHOWN);
}

/** The card with the rows. */
export function Stream({ stream, zone, isAll }) {
  const { paused, pause } = useLive();
  const { rows, loaded, waiting, fault, again } = stream;
  const flip = () => (pause(), speak(paused ? "Goes on." : "Paused."));
  return html`<section class="card stream" aria-label="Newest events" aria-busy=${String(!loaded && !fault)}>
    <header class="card-head"><h2>Newest events</h2>
      <span class="stream-tools">${waiting > 0 && html`<b class="waiting-count">${count(waiting)} waiting</b>`}<button type="button" class="button" aria-pressed=${String(paused)} onClick=${flip}><span class=${paused ? "sign-go" : "sign-pause"} aria-hidden="true"></span>${paused ? "Go on" : "Pause"}</button></span>
    </header>
    <${Failure} text=${fault} again=${again} />
    ${loaded ? rows.length ? html`<ol class="stream-rows" data-old=${String(Boolean(fault))}>${rows.map((row) => html`<${Line} key=${row.hit_id} row=${row} zone=${zone} isAll=${isAll} />`)}</ol>` : html`<${Nothing} />` : !fault && html`<div class="stream-wait"><${Skeleton} rows=${14} /></div>`}
    <footer class="panel-foot"><span class="quiet">Times in ${zone ?? "your zone"}</span><a href=${link("/events")}>All events</a></footer>
  </section>`;
}

function Nothing() {
  return html`<div class="stream-empty"><p><b>Nothing has come yet.</b></p><p class="quiet">Events appear here within two seconds of their arrival. Put the tag on a page: <a href=${link("/sites")}>Sites</a> has it.</p></div>`;
}

function Line({ row, zone, isAll }) {
  const isNew = row.shownAt && performance.now() - row.shownAt < FRESH;
  const source = sourceOf(row);
  const told = [isAll && row.site, source && (source.includes(".") ? `from ${source}` : source), row.country && country(row.country), withWhat(row)].filter(Boolean);
  const name = row.event === "pageview" ? pageOf(row) : row.event;
  return html`<li data-new=${String(Boolean(isNew))} data-id=${clean(row.hit_id)}>
    <button type="button" title="Show all its fields" onClick=${() => openHit(row.hit_id, momentOf(row))}>
      <time>${clockTime(momentOf(row), zone)}</time>
      <span class="line-what">${row.event !== "pageview" && html`<span class="badge badge-event"><${Outside} text=${row.event} most=${60} /></span>`}<${Outside} text=${row.event === "pageview" ? name || "a view" : pageOf(row) || row.title || ""} /><${Marks} row=${row} /></span>
      <${Told} parts=${told.length ? told : ["nothing is known of it"]} />
    </button>
  </li>`;
}

/** What is known, side by side: each part keeps its direction to itself, so that all of them stand in order. */
function Told({ parts }) {
  return html`<span class="outside line-who quiet" title=${clean(parts.join(" · "), 1000)}>${parts.map((part, place) => html`${place > 0 && " · "}<bdi key=${place}>${clean(part)}</bdi>`)}</span>`;
}

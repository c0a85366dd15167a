// A panel with every field of one hit: an event, or a reject with why it is one and a way to try again. Opened by #hit=NAME.

import { askable, link, test } from "./address.js";
import { Refused, explain, get, send } from "./api.js";
import { clock, country, dayTime } from "./format.js";
import { Marks } from "./marks.js";
import { place, usePlace } from "./place.js";
import { Dialog, Failure, Outside, Skeleton, clean, coded, html, speak, useEffect, useState } from "./ui.js";

const SETTLED = 5500; // ms after it arrived: by then the lake has it; the live store has it before
const SOON = 1500; // ms between two looks at a lake that is late
const PATIENCE = 40000; // ms after it arrived
const GROUPS = [
  ["What", ["received_at", "site", "event", "url", "title", "value", "currency"]],
  ["From where", ["referrer", "referrer_host", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id"]],
  ["Who", ["user_id", "visitor_id", "visitor_before", "ip", "country", "region", "city", "timezone", "language"]],
  ["With what", ["browser", "browser_version", "os", "os_version", "device", "screen", "user_agent"]],
  ["To be trusted?", ["bot", "bot_name", "proxy", "prefetch", "duplicate", "signed", "dnt", "gpc", "consent"]],
  ["How it came", ["hit_id", "event_id", "impression_id", "occurred_at", "sent_at", "source", "dialect", "method", "partition", "position"]],
];
const HIDDEN = new Set(["host", "path", "properties", "year", "month", "day", "hour", "detail", "raw"]);
const FILTERED = ["site", "event", "channel", "referrer_host", "utm_source", "utm_medium", "utm_campaign", "user_id", "country", "region", "city", "language", "browser", "os", "device", "bot_name", "proxy"];
const MOMENTS = new Set(["received_at", "occurred_at", "sent_at"]);

/** The panel, while the address names a hit. `me`: who looks; `rows`: events at hand, shown till the rest is there. */
export function Detail({ me, site, zone, rows = [] }) {
  const { hit, at } = usePlace();
  if (!hit) return null;
  return html`<${Hit} key=${hit} hit=${hit} at=${at} me=${me} site=${site} zone=${zone} known=${rows.find((row) => row.hit_id === hit)} />`;
}

const close = () => place({ hit: "", at: "" });

function Hit({ hit, at, me, site, zone, known }) {
  const [found, setFound] = useState(null);
  const [fault, setFault] = useState("");
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const age = at ? Date.now() - Date.parse(at) : Infinity;
    const failed = (error) => {
      if (stop.signal.aborted) return;
      if (error instanceof Refused && error.status === 404 && age < PATIENCE) timer = setTimeout(() => setTries(tries + 1), SOON);
      else setFault(explain(error));
    };
    const look = () => get(`hit/${encodeURIComponent(hit)}`, { site, at }, { signal: stop.signal }).then((answer) => (setFound(answer), setFault("")), failed);
    if (known && age < SETTLED) timer = setTimeout(look, SETTLED - age);
    else look();
    return () => (stop.abort(), clearTimeout(timer));
  }, [hit, at, site, tries]);
  const kind = found?.kind ?? (known && "event");
  const row = found?.row ?? known;
  return html`<${Dialog} title=${kind === "reject" ? "Reject" : "Event"} class="side" done=${close}>
    <div class="side-body" tabindex="0" role="region" aria-label="All fields">
      <${Failure} text=${fault} again=${() => (setFault(""), setTries(tries + 1))} />
      ${row ? kind === "reject" ? html`<${Reject} found=${found} me=${me} zone=${zone} />` : html`<${Event} row=${row} meanings=${found?.meanings} zone=${zone} />` : !fault && html`<${Skeleton} rows=${12} />`}
      ${row && !found && !fault && html`<p class="quiet waiting" role="status">The rest is on its way into the lake.</p>`}
    </div>
  <//>`;
}

function Event({ row, meanings = {}, zone }) {
  const [empty, setEmpty] = useState(false);
  const named = new Set(GROUPS.flatMap(([, names]) => names));
  const own = Object.keys(row).filter((name) => !named.has(name) && !HIDDEN.has(name) && name !== "cursor");
  const groups = [...GROUPS, ["Your own columns", own]];
  const lacks = groups.some(([, names]) => names.some((name) => isEmpty(row[name])));
  return html`<div>
    <p class="hit-head"><${Outside} tag="b" text=${row.event} /> <${Marks} row=${row} /> <span class="quiet">${dayTime(ms(row.received_at), zone)}${zone && ` · ${zone}`}</span></p>
    <${Properties} of=${row.properties} />
    ${groups.map(([title, names]) => html`<${Fields} key=${title} title=${title} names=${names.filter((name) => empty ? name in row : !isEmpty(row[name]))} row=${row} meanings=${meanings} zone=${zone} />`)}
    <p class="hit-foot">${lacks && html`<button type="button" class="link" aria-pressed=${String(empty)} onClick=${() => setEmpty(!empty)}>${empty ? "Hide what is empty" : "Show what is empty, too"}</button>`}<${Copy} row=${row} /></p>
  </div>`;
}

const isEmpty = (value) => value == null || value === "" || value === false;
const ms = (value) => (typeof value === "number" ? value / 1000 : value);

function Properties({ of }) {
  const pairs = Object.entries(of ?? {});
  if (!pairs.length) return null;
  return html`<section class="fields"><h3>Properties</h3><dl>${pairs.map(([name, values]) => html`<div key=${name}>
    <dt><${Outside} text=${name} /></dt><dd>${[values].flat().map((value, place) => html`<${Outside} key=${place} tag="p" text=${value ?? ""} most=${2000} class="whole" />`)}</dd>
    <dd><${Only} column=${`properties.${name}`} value=${[values].flat()[0]} /></dd>
  </div>`)}</dl></section>`;
}

function Fields({ title, names, row, meanings, zone }) {
  if (!names.length) return null;
  return html`<section class="fields"><h3>${title}</h3><dl>${names.map((name) => html`<div key=${name}>
    <dt title=${meanings[name] ?? ""}>${name}</dt><dd><${Value} name=${name} value=${row[name]} zone=${zone} /></dd>
    ${FILTERED.includes(name) && !isEmpty(row[name]) && html`<dd><${Only} column=${name} value=${row[name]} /></dd>`}
  </div>`)}</dl></section>`;
}

function Value({ name, value, zone }) {
  if (value == null || value === "") return html`<span class="quiet">–</span>`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (MOMENTS.has(name)) return html`<time datetime=${new Date(ms(value)).toISOString()} title=${new Date(ms(value)).toISOString()}>${exact(ms(value), zone)}</time>`;
  if (name === "country") return `${country(clean(value, 8))} (${clean(value, 8)})`;
  return html`<${Outside} text=${typeof value === "object" ? JSON.stringify(value) : value} most=${4000} class="whole" />`;
}

/** To the second, in the site's zone. */
const exact = (moment, zone) => clock({ dateStyle: "medium", timeStyle: "medium" }, zone)(moment);

/** The events with the same value. */
function Only({ column, value }) {
  if (value == null || String(value).length > 500 || !askable(value) || !askable(column)) return null;
  const change = column === "site" ? { site: value } : { filter: [test(column, "is", value)], ...(column === "bot_name" ? { people: "false" } : {}) };
  return html`<a class="only" href=${link("/events", change)} title="Only events with this value" aria-label=${`Only events with this ${clean(column, 60)}`}>only</a>`;
}

function Copy({ row }) {
  const [done, setDone] = useState(false);
  const copy = () => navigator.clipboard.writeText(JSON.stringify(row, null, 2)).then(() => (setDone(true), speak("Copied.")), () => {});
  return navigator.clipboard ? html`<button type="button" class="link" onClick=${copy}>${done ? "Copied" : "Copy as JSON"}</button>` : null;
}

// --- a reject --------------------------------------------------------------------------------------

function Reject({ found, me, zone }) {
  const { row, why, meanings } = found;
  const faults = Array.isArray(row.detail) ? row.detail : [];
  return html`<div>
    <p class="hit-head"><b>${clean(row.reason, 80)}</b> <span class="quiet">${dayTime(row.received_at, zone)}${zone && ` · ${zone}`}</span></p>
    <div class="why"><p>What is wrong: ${coded(why.text)}.</p>${why.remedy && html`<p><b>What to do:</b> ${coded(why.remedy)}.</p>`}</div>
    ${faults.length > 0 && html`<section class="fields"><h3>${faults.length === 1 ? "The fault" : `All ${faults.length} faults`}</h3><ol class="faults">${faults.map((each, place) => html`<li key=${place}><b>${clean(each.field ?? each.reason ?? "", 200)}</b> <${Outside} text=${each.text ?? ""} most=${2000} class="whole" /></li>`)}</ol></section>`}
    ${me.role === "owner" && !me.sites && html`<${Replay} hit=${row.hit_id} at=${row.received_at} />`}
    <section class="fields"><h3>What is kept of the hit</h3><pre class="raw" dir="auto" tabindex="0">${pretty(row.raw)}</pre></section>
    <${Fields} title="How it came" names=${["hit_id", "received_at", "stage", "partition", "position", "visitor_id"].filter((name) => !isEmpty(row[name]))} row=${row} meanings=${meanings} zone=${zone} />
    <p class="hit-foot"><${Copy} row=${row} /></p>
  </div>`;
}

const lines = (text) => text.split("\n").map((line) => clean(line, 4000)).join("\n");
const pretty = (raw) => lines(typeof raw === "string" ? raw : JSON.stringify(raw, null, 2) ?? "");

/** Judges it anew, by the rules of now, and tells what became of it. */
function Replay({ hit, at }) {
  const [state, setState] = useState({});
  const replay = async () => {
    setState({ busy: true });
    try {
      setState({ report: await send("POST", `replay/${encodeURIComponent(hit)}`) });
    } catch (error) {
      setState({ fault: explain(error) });
    }
  };
  const { busy, report, fault } = state;
  return html`<section class="replay" aria-busy=${String(Boolean(busy))}>
    <button type="button" class="button primary" disabled=${busy || report?.replayed} onClick=${replay}>${busy ? "Judging…" : "Replay"}</button>
    <p class="quiet">${report ? outcome(report) : "Judges it anew, by the rules, schemas and enrichers of now. What is an event then moves to the events."}</p>
    ${report?.replayed > 0 && html`<a class="button" href=${`${link("/events")}#${new URLSearchParams({ hit, at: new Date(at).toISOString() })}`} onClick=${() => setTimeout(() => location.reload())}>Open the event</a>`}
    <${Failure} text=${fault} />
  </section>`;
}

function outcome({ replayed, refused, impossible, gone }) {
  if (replayed) return "It is an event now.";
  if (gone) return "Somebody else replayed or removed it meanwhile.";
  const why = [...Object.keys(refused ?? {}), ...Object.keys(impossible ?? {})].map((each) => clean(each, 200));
  return `It is still no event: ${why.join(", ") || "nothing has changed"}.`;
}

// The page of what happens now: who is here, the last half hour, where in the world, and the newest events as they come.

import { Detail } from "./detail.js";
import { country } from "./format.js";
import { Minutes, useFlow } from "./minutes.js";
import { useAnswer, useTick } from "./asking.js";
import { useEvents } from "./live.js";
import { mount } from "./shell.js";
import { Stream, useStream } from "./stream.js";
import { Tops } from "./tops.js";
import { Failure, html, useEffect, useState } from "./ui.js";

const HALF_HOUR = 30 * 60_000;
const MINUTE = 60_000;
const GLOW = 2500; // ms

/** The last half hour as the API wants it; it moves on by the minute. */
const sinceHalfAnHour = () => new Date(Math.floor((Date.now() - HALF_HOUR) / MINUTE) * MINUTE).toISOString();

function Live({ me, state }) {
  if (me.role === "share") return html`<p class="card nothing lone">A shared link shows figures, and no single events.</p>`;
  return html`<${Now} me=${me} site=${state.site} />`;
}

function Now({ me, site }) {
  const tick = useTick();
  const given = { site, from: sinceHalfAnHour(), limit: 250 };
  const countries = useAnswer("countries", given, tick);
  const flow = useFlow(site);
  const stream = useStream(site, flow);
  const zone = countries.answer?.zone;
  return html`
    <h1 class="spoken">Live</h1>
    <${Minutes} flow=${flow} zone=${zone} />
    <div class="live-grid">
      <div class="live-side">
        <section class="card live-map" aria-label="Where in the world">
          <header class="card-head"><h2>Where</h2><span class="quiet">hits of the last 30 minutes</span></header>
          <${Failure} text=${countries.fault} again=${countries.again} />
          <${LitMap} answer=${countries.answer} />
        </section>
        <${Tops} site=${site} from=${given.from} tick=${tick} countries=${countries} />
      </div>
      <${Stream} stream=${stream} zone=${zone} isAll=${!site} />
    </div>
    <${Detail} me=${me} site=${site} zone=${zone} rows=${stream.rows} />`;
}

/** The map, once it has come; a country glows when a hit comes from it. */
function LitMap({ answer }) {
  const [parts, setParts] = useState(null);
  const [lit, setLit] = useState(new Map());
  useEffect(() => void import("./map.js").then(({ WorldMap }) => setParts({ WorldMap }), () => setParts({})), []);
  useEvents((events) => {
    const now = Date.now();
    const codes = new Set(events.map((event) => event.country).filter(Boolean));
    if (codes.size) setLit((before) => new Map([...[...before].filter(([, at]) => now - at < GLOW), ...[...codes].map((code) => [code, now])]));
  }, []);
  const rows = (answer?.rows ?? []).filter((row) => row.value).map((row) => ({ value: row.value, count: Number(row.hits) }));
  if (parts && !parts.WorldMap) return html`<p class="nothing">The map could not be loaded: the list of countries has the same.</p>`;
  return html`<div class="live-world">${parts && answer && html`<${parts.WorldMap} rows=${rows} label="Hits" lit=${lit} />`}<p class="spoken">${rows.slice(0, 10).map((row) => `${country(row.value)} ${row.count}`).join(", ")}</p></div>`;
}

mount({ page: "live", title: "Live", main: Live, picks: false });

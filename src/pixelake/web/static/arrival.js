// The wait for the first hit of a site: says so as soon as it is there, and where to look when it does not come.

import { link } from "./address.js";
import { get, listen } from "./api.js";
import { clockTime, count, country, duration } from "./format.js";
import { Outside, html, speak, useEffect, useRef, useState } from "./ui.js";

const PATIENCE = 60; // seconds until something seems to be wrong
const LOOK = 10_000; // ms between looks at where it might be

/** Watches a site: { hit, seconds, lost }. `hit` is the newest one, also of before. */
function useHit(site) {
  const [hit, setHit] = useState(null);
  const [lost, setLost] = useState(false);
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const began = performance.now();
    const timer = setInterval(() => setSeconds(Math.round((performance.now() - began) / 1000)), 1000);
    const take = (events) => events.length && setHit(events.at(-1));
    get("recent", { site, limit: 1 }).then(take, () => {});
    const source = listen({ site }, { events: take, open: () => setLost(false), lost: () => setLost(true) });
    return () => (clearInterval(timer), source.close());
  }, [site]);
  return { hit, seconds, lost };
}

/** The wait, the arrival, or the search for what is wrong. */
export function Arrival({ site, told, me }) {
  const { hit, seconds, lost } = useHit(site);
  const there = Boolean(hit);
  useEffect(() => void (there && speak("The first hit has arrived.")), [there]);
  return html`<section class="arrival" data-state=${there ? "there" : "waiting"} aria-label="The first hit">
    ${there ? html`<${There} site=${site} hit=${hit} zone=${told.zone} />` : html`<${Waiting} site=${site} told=${told} seconds=${seconds} lost=${lost} />`}
    ${!there && seconds >= PATIENCE && html`<${Trouble} site=${site} me=${me} told=${told} />`}
  </section>`;
}

function Waiting({ told, seconds, lost }) {
  return html`<p class="arrival-line"><span class="dot" aria-hidden="true"></span> <b>Waiting for the first hit</b> <span class="quiet">${lost ? "The connection is lost; it comes back by itself." : seconds > 3 ? `for ${duration(seconds)}` : ""}</span></p>
    <p class="quiet">Open a page that has the tag, or <a href=${`${told.tags.get}&event=test`} target="_blank" rel="noopener noreferrer">send a test hit</a> from this browser: it is an event called “test”, and no view.</p>`;
}

/** From where a hit came, as far as it says. */
function words(hit) {
  const page = hit.path ? `${hit.host ?? ""}${hit.path}` : hit.host;
  const client = [hit.browser, hit.os].filter(Boolean).join(" on ");
  return { event: hit.event, page, client, place: hit.country && country(hit.country), machine: hit.bot ? hit.bot_name || "a machine" : "" };
}

function There({ site, hit, zone }) {
  const { event, page, client, place, machine } = words(hit);
  const at = clockTime(hit.received_at / 1000, zone);
  return html`<p class="arrival-line"><span class="mark" data-state="good" aria-hidden="true">✓</span> <b>It works: a hit has arrived</b></p>
    <dl class="hit">
      <div><dt>What</dt><dd><${Outside} text=${event} most=${80} /></dd></div>
      ${page && html`<div><dt>Page</dt><dd><${Outside} text=${page} most=${120} /></dd></div>`}
      ${client && html`<div><dt>With</dt><dd><${Outside} text=${client} most=${80} /></dd></div>`}
      ${place && html`<div><dt>From</dt><dd>${place}</dd></div>`}
      <div><dt>At</dt><dd>${at} <span class="quiet">${zone.replaceAll("_", " ")}</span></dd></div>
    </dl>
    ${machine && html`<p class="failed">It is marked as sent by <${Outside} text=${machine} most=${80} />, and so left out of the figures, which are of people.</p>`}
    <p><a class="button primary" href=${link("/", { site, filter: [] })}>Open its dashboard</a></p>`;
}

// --- when nothing comes ---------------------------------------------------------------------------

/** What went on elsewhere since the first look: hits that came, for which sites, what was refused or not kept. */
function useElsewhere(site, me) {
  const [seen, setSeen] = useState(null);
  const before = useRef(null);
  useEffect(() => {
    if (me?.sites != null) return; // the sums are of all sites
    let wanted = true;
    const look = async () => {
      const [status, recent, rejects] = await Promise.all([get("status"), get("recent", { limit: 100 }), get("rejects", { period: "1h" })]);
      const others = [...new Set(recent.map((each) => each.site))].filter((name) => name !== site).slice(0, 5);
      before.current ??= status;
      if (wanted) setSeen({ status, before: before.current, others, rejects: rejects.rows });
    };
    const again = () => look().catch(() => {});
    again();
    const timer = setInterval(again, LOOK);
    return () => ((wanted = false), clearInterval(timer));
  }, [site]);
  return seen;
}

function Trouble({ site, me, told }) {
  const seen = useElsewhere(site, me);
  return html`<div class="trouble" role="status">
    <h3>It does not come? Look here, in this order</h3>
    <ol>
      ${told.local && html`<li>The tag's address can be reached from this machine alone: set <code>public_url</code>.</li>`}
      ${told.closed && !told.known && html`<li>Sites are closed here, and this one is not declared: its hits are rejects until somebody adds it.</li>`}
      <li>Is the page with the tag online, and was it loaded anew? <a href=${told.tags.get} target="_blank" rel="noopener noreferrer">Open the pixel's address</a>: an empty image is right, an error page says what is wrong.</li>
      <li>A content blocker, or the page's own Content-Security-Policy (<code>img-src</code>), may hold the image back: the browser's console says so.</li>
      ${seen && html`<${Elsewhere} seen=${seen} />`}
      <li>Do Not Track and Global Privacy Control may withhold a hit on this site: its policy is “${told.policy === "default" ? told.default_policy : told.policy}”.</li>
    </ol>
  </div>`;
}

function Elsewhere({ seen: { status, before, others, rejects } }) {
  const more = (name) => status[name] - before[name];
  return html`
    <li>${more("accepted") > 0 ? `${count(more("accepted"))} hits reached the pixel meanwhile, none of them for this site.` : "No hit of any site has reached the pixel in the last seconds: it is not asked, or not from outside."}</li>
    ${others.length > 0 && html`<li>The newest hits name other sites. Does the tag name this one? ${others.map((name, at) => html`${at > 0 && ", "}<a key=${name} href=${link("/", { site: name })}><${Outside} text=${name} most=${60} /></a>`)}</li>`}
    ${rejects.length > 0 && html`<li>In the last hour hits were refused: ${rejects.slice(0, 5).map(({ value, hits }, at) => html`${at > 0 && ", "}<code key=${value}>${value}</code> ${count(hits)}`)}. <a href=${link("/events")}>The events page says why.</a></li>`}
    ${more("withheld") > 0 && html`<li>${count(more("withheld"))} hits were not kept, by the policy for Do Not Track.</li>`}
    ${status.in_stream > 0 && status.lag_seconds > 30 && html`<li>${count(status.in_stream)} hits wait for the lake, the oldest for ${duration(status.lag_seconds)}: it is behind.</li>`}`;
}

// The last half hour by the minute, how many are here, and hits a second, counted from what the live feed tells.

import { clock, compact, count } from "./format.js";
import { useLive } from "./live.js";
import { html, useEffect, useRef, useState } from "./ui.js";

const MINUTE = 60_000;
const SHOWN = 30;
const SPAN = 10_000; // ms over which hits a second are told
const SETTLING = 2000; // ms until they can be told
const rate = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** What comes: { now, minutes, total, perSecond }. `total` grows by every hit since the page began to look. */
export function useFlow(site) {
  const { now } = useLive();
  const seen = useRef({ site: null, known: null, total: 0, steps: [], began: 0 }).current;
  const [, beat] = useState(0);
  if (seen.site !== site) Object.assign(seen, { site, known: null, total: 0, steps: [], last: null });
  if (now?.minutes && now !== seen.last) add(seen, now);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || beat((last) => last + 1), 1000);
    const hidden = () => document.hidden && Object.assign(seen, { known: null, steps: [] });
    document.addEventListener("visibilitychange", hidden);
    return () => (clearInterval(timer), document.removeEventListener("visibilitychange", hidden));
  }, []);
  return { now, minutes: now?.minutes ?? null, total: seen.total, perSecond: seen.known && perSecond(seen) };
}

/** The store counts each minute whole: what it has more than before has come since. */
function add(seen, now) {
  const counts = new Map(now.minutes.map(({ at, hits }) => [at, hits]));
  const come = seen.known ? [...counts].reduce((sum, [at, hits]) => sum + Math.max(0, hits - (seen.known.get(at) ?? 0)), 0) : 0;
  if (!seen.known) seen.began = performance.now();
  Object.assign(seen, { known: counts, last: now, total: seen.total + come });
  if (come) seen.steps.push([performance.now(), come]);
}

function perSecond(seen) {
  const time = performance.now();
  if (time - seen.began < SETTLING) return null;
  seen.steps = seen.steps.filter(([at]) => time - at < SPAN);
  const told = seen.steps.reduce((sum, [, come]) => sum + come, 0);
  return (1000 * told) / Math.max(1000, Math.min(SPAN, time - seen.began));
}

/** The figures, and the bars beside them. */
export function Minutes({ flow, zone }) {
  const { now, minutes, perSecond: hits } = flow;
  return html`<section class="card now" aria-label="Now" aria-busy=${String(!minutes)}>
    <dl class="now-figures">
      <div class="now-first"><dt>People now</dt><dd data-figure="now">${now ? count(now.visitors_5) : "–"}</dd><dd class="quiet">seen in the last 5 minutes</dd></div>
      <div><dt>In 30 minutes</dt><dd data-figure="half">${now ? compact(now.visitors_30) : "–"}</dd><dd class="quiet">people, ${now ? compact(now.hits_30) : "–"} hits</dd></div>
      <div><dt>Hits a second</dt><dd data-figure="rate">${hits == null ? "–" : rate.format(hits)}</dd><dd class="quiet">machines among them</dd></div>
    </dl>
    <${Bars} minutes=${minutes} zone=${zone} />
  </section>`;
}

/** The minutes without gaps, oldest first. */
function spread(minutes) {
  const told = new Map((minutes ?? []).map((each) => [each.at, each]));
  const last = Math.floor(Date.now() / MINUTE) * MINUTE;
  return Array.from({ length: SHOWN }, (_, place) => {
    const at = last - (SHOWN - 1 - place) * MINUTE;
    return told.get(at) ?? { at, hits: 0, views: 0, bots: 0 };
  });
}

function Bars({ minutes, zone }) {
  const all = spread(minutes);
  const most = Math.max(1, ...all.map(({ views, bots }) => views + bots));
  const time = clock({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, zone);
  const sum = (name) => all.reduce((total, each) => total + each[name], 0);
  const told = `Views by the minute, the last half hour: ${count(sum("views"))} views by people, ${count(sum("bots"))} hits of machines.`;
  return html`<figure class="minutes" data-empty=${String(Boolean(minutes) && !sum("hits"))}>
    <figcaption class="quiet"><span><i class="key key-views"></i>views by people</span><span><i class="key key-bots"></i>machines</span><span class="most">${most > 1 ? `up to ${compact(most)} a minute` : ""}</span></figcaption>
    <div class="bars" role="img" aria-label=${told}>${all.map(({ at, views, bots }, place) => html`<span key=${at} class="bar-of" data-open=${String(place === SHOWN - 1)} title=${`${time(at)}: ${count(views)} views by people, ${count(bots)} hits of machines`}>
      <i class="bots" style=${{ height: `${(100 * bots) / most}%` }}></i><i class="views" style=${{ height: `${(100 * views) / most}%` }}></i>
    </span>`)}</div>
    <p class="axis quiet" aria-hidden="true"><span>${time(all[0].at)}</span><span>${time(all[SHOWN / 2].at)}</span><span>${time(all.at(-1).at)}${zone ? ` · ${zone}` : ""}</span></p>
    <table class="spoken"><caption>Views by the minute</caption><thead><tr><th scope="col">Minute</th><th scope="col">Views by people</th><th scope="col">Machines</th></tr></thead><tbody>${all.map(({ at, views, bots }) => html`<tr key=${at}><th scope="row">${time(at)}</th><td>${views}</td><td>${bots}</td></tr>`)}</tbody></table>
  </figure>`;
}

// What the last half hour was about: pages, sources, countries. A row leads to its events.

import { askable, link, test } from "./address.js";
import { useAnswer } from "./asking.js";
import { compact, country } from "./format.js";
import { Failure, Outside, Skeleton, html } from "./ui.js";

const SHOWN = 7;
const LISTS = [
  { title: "Pages", question: "pages", column: "views", unit: "Views", nothing: "Nobody looked at a page in this half hour.", filters: pageFilters },
  { title: "Sources", question: "referrers", column: "visits", unit: "Visits", none: "Direct", nothing: "No visit began in this half hour.", filters: (value) => [test("referrer_host", "is", value)] },
];

function pageFilters(value) {
  const at = value.indexOf("/");
  const [host, path] = at < 0 ? [value, ""] : [value.slice(0, at), value.slice(at)];
  return [...(host ? [test("host", "is", host)] : []), test("path", "is", path)];
}

const COUNTRIES = { title: "Countries", column: "hits", unit: "Hits", none: "Unknown", nothing: "No hit told its country in this half hour.", name: country, filters: (value) => [test("country", "is", value)] };

/** Three cards; the countries are asked for by the map already. */
export function Tops({ site, from, tick, countries }) {
  return html`<div class="tops">${LISTS.map((list) => html`<${Asked} key=${list.question} list=${list} site=${site} from=${from} tick=${tick} />`)}<${Card} list=${COUNTRIES} site=${site} found=${byHits(countries)} /></div>`;
}

function byHits(found) {
  if (!found.answer) return found;
  const rows = [...found.answer.rows].sort((one, other) => other.hits - one.hits).slice(0, SHOWN);
  return { ...found, answer: { ...found.answer, rows } };
}

function Asked({ list, site, from, tick }) {
  const found = useAnswer(list.question, { site, from, limit: SHOWN }, tick);
  return html`<${Card} list=${list} site=${site} found=${found} />`;
}

function Card({ list, site, found }) {
  const { answer, fault, again } = found;
  return html`<section class="card top-card" aria-label=${list.title} aria-busy=${String(!answer && !fault)}>
    <header class="card-head"><h2>${list.title}</h2><span class="quiet">${list.unit}</span></header>
    <div class="top-body"><${Failure} text=${fault} again=${again} />
    ${answer ? answer.rows.length ? html`<ol class="top-rows" data-old=${String(Boolean(fault))}>${answer.rows.map((row) => html`<${Row} key=${row.value} list=${list} row=${row} site=${site} most=${answer.rows[0][list.column]} />`)}</ol>` : html`<p class="nothing">${list.nothing}</p>` : !fault && html`<${Skeleton} rows=${SHOWN} />`}</div>
  </section>`;
}

function Row({ list, row, site, most }) {
  const name = row.value == null ? list.none : (list.name ?? String)(row.value);
  const number = Number(row[list.column] ?? 0);
  const text = html`<${Outside} text=${name} class=${row.value == null ? "quiet" : ""} />`;
  const href = () => link("/events", { site, period: "24h", filter: list.filters(row.value ?? "") });
  return html`<li><span class="fill" aria-hidden="true" style=${{ width: `${(100 * number) / Math.max(1, most)}%` }}></span>${askable(row.value) ? html`<a href=${href()} title="Its events of the last 24 hours">${text}</a>` : text}<b>${compact(number)}</b></li>`;
}

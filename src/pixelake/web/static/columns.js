// The columns that the table of events can have, and those that one has chosen, kept in this browser.

import { clock, country, dayTime } from "./format.js";
import { Marks, momentOf, pageOf, sourceOf } from "./marks.js";
import { Dialog, Outside, clean, html, useState } from "./ui.js";

const KEPT = "pixelake.events.columns";
const DEFAULT = ["received_at", "site", "event", "page", "source", "country", "browser", "marks", "value"];

const outside = (name, most) => (row) => (row[name] == null || row[name] === "" ? none : html`<${Outside} text=${row[name]} most=${most ?? 200} />`);
const none = html`<span class="quiet" aria-label="nothing">–</span>`;
const either = (text) => (text ? html`<${Outside} text=${text} />` : none);
const amount = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 6 });

/** Time alone for today, the day before it otherwise; the whole of it on hover. */
function when(row, zone) {
  const moment = momentOf(row);
  const day = clock({ dateStyle: "short" }, zone);
  const time = clock({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }, zone)(moment);
  const isToday = day(moment) === day(Date.now());
  return html`<time datetime=${new Date(moment).toISOString()} title=${`${dayTime(moment, zone)} ${zone ?? ""}`}>${isToday ? time : `${clock({ day: "numeric", month: "short" }, zone)(moment)}, ${time}`}</time>`;
}

const money = (row) => (row.value == null ? none : html`<span>${amount.format(row.value)} ${clean(row.currency ?? "", 8)}</span>`);
const place = (row) => (row.country ? html`<span title=${clean(row.country, 8)}>${country(clean(row.country, 8))}</span>` : none);
const event = (row) => html`<span class=${row.event === "pageview" ? "" : "badge badge-event"}><${Outside} text=${row.event} most=${60} /></span>`;

/** In the order of the table: name, label, how a cell is made. */
export const COLUMNS = [
  { name: "received_at", label: "Time", cell: when },
  { name: "event", label: "Event", cell: event },
  { name: "page", label: "Page", cell: (row) => either(pageOf(row)) },
  { name: "site", label: "Site", cell: outside("site") },
  { name: "title", label: "Title", cell: outside("title") },
  { name: "source", label: "Source", cell: (row) => either(sourceOf(row)) },
  { name: "channel", label: "Channel", cell: outside("channel") },
  { name: "referrer", label: "Referrer", cell: outside("referrer") },
  { name: "country", label: "Country", cell: place },
  { name: "city", label: "City", cell: outside("city") },
  { name: "browser", label: "Browser", cell: outside("browser") },
  { name: "os", label: "System", cell: outside("os") },
  { name: "device", label: "Device", cell: outside("device") },
  { name: "user_id", label: "User", cell: outside("user_id") },
  { name: "marks", label: "Marks", cell: (row) => html`<${Marks} row=${row} />` },
  { name: "value", label: "Value", number: true, cell: money },
  { name: "url", label: "Address", cell: outside("url") },
  { name: "hit_id", label: "Name of the hit", cell: outside("hit_id") },
];
const KNOWN = new Set(COLUMNS.map(({ name }) => name));

function kept() {
  try {
    const names = JSON.parse(localStorage.getItem(KEPT) ?? "null").filter((name) => KNOWN.has(name));
    return names.length ? names : DEFAULT;
  } catch {
    return DEFAULT;
  }
}

/** [names, choose(names)]; where the browser keeps nothing, they last as long as the page. */
export function useColumns() {
  const [chosen, setChosen] = useState(kept);
  const choose = (names) => {
    setChosen(names);
    try {
      localStorage.setItem(KEPT, JSON.stringify(names));
    } catch {
      // the choice holds till the page goes
    }
  };
  return [chosen, choose];
}

/** A dialog with a box for each; one always stays. */
export function ChooseColumns({ chosen, choose, done }) {
  const flip = (name) => choose(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name]);
  return html`<${Dialog} title="Columns" done=${done}><div class="form columns-of">
    ${COLUMNS.map(({ name, label }) => html`<label key=${name}><input type="checkbox" checked=${chosen.includes(name)} disabled=${chosen.length === 1 && chosen.includes(name)} onChange=${() => flip(name)} /> ${label}</label>`)}
    <div class="actions"><button type="button" class="button" onClick=${() => choose(DEFAULT)}>As it was</button></div>
  </div><//>`;
}

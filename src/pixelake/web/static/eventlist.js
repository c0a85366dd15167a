// The table of events: searched, with the columns that one chooses, paged, and saved as a file.

import { parameters, go } from "./address.js";
import { useColumns, ChooseColumns, COLUMNS } from "./columns.js";
import { usePaged } from "./paged.js";
import { openHit, place, usePlace } from "./place.js";
import { momentOf } from "./marks.js";
import { Exports } from "./rows.js";
import { count } from "./format.js";
import { Failure, Skeleton, html, speak, useEffect, useState } from "./ui.js";

/** `told({ zone })` hears on whose wall clock the times are. */
export function Events({ state, told }) {
  const { search = "", hit } = usePlace();
  const { compare, ...asked } = parameters(state);
  const given = { ...asked, search };
  const found = usePaged("newest", given);
  const [chosen, choose] = useColumns();
  const [choosing, setChoosing] = useState(false);
  const zone = found.answer?.zone;
  useEffect(() => void (zone && told({ zone })), [zone]);
  const columns = COLUMNS.filter(({ name }) => chosen.includes(name) && !(name === "site" && state.site));
  return html`
    <div class="tools">
      <${Search} text=${search} label="Search events" hint="Search page, title, event, referrer, site" />
      <button type="button" class="button" onClick=${() => setChoosing(true)}>Columns</button>
      <${Exports} question="newest" given=${given} />
    </div>
    <div class="faults-of"><${Failure} text=${found.fault} again=${found.again} /></div>
    <div class="events-box"><${Fresh} found=${found} what="event" />
    <div id="rows" class="scroll" role="tabpanel" aria-label="Events" tabindex="0" aria-busy=${String(!found.answer && !found.fault)}>
      ${found.answer ? found.rows.length ? html`<${Table} found=${found} columns=${columns} zone=${zone} hit=${hit} />` : html`<${Nothing} state=${state} search=${search} />` : !found.fault && html`<div class="rows-wait"><${Skeleton} rows=${16} /></div>`}
    </div></div>
    <${Foot} found=${found} zone=${zone} />
    ${choosing && html`<${ChooseColumns} chosen=${chosen} choose=${choose} done=${() => setChoosing(false)} />`}`;
}

/** A field whose text lives in the address. */
export function Search({ text, label, hint }) {
  return html`<input type="search" class="search" aria-label=${label} placeholder=${hint} maxlength="500" autocomplete="off" spellcheck="false" value=${text} onInput=${(event) => place({ search: event.target.value }, { replace: true })} />`;
}

/** What has come since the first row: told, and shown when it is wanted, so that nothing moves under one's eyes. */
export function Fresh({ found, what }) {
  const { fresh } = found;
  const number = fresh === Infinity ? "More than 100" : count(fresh);
  useEffect(() => void (fresh && speak(`${number} new`)), [Boolean(fresh)]);
  if (!fresh) return null;
  return html`<button type="button" class="fresh" onClick=${() => (found.showFresh(), document.getElementById("rows").scrollTo(0, 0))}>${number} new ${fresh === 1 ? what : `${what}s`}: show</button>`;
}

export function Foot({ found, zone }) {
  return html`<footer class="rows-foot"><span class="quiet">${found.answer ? `${count(found.rows.length)} shown${zone ? ` · times in ${zone}` : ""}` : ""}</span>
    ${found.more && html`<button type="button" class="button" disabled=${found.busy} onClick=${found.showMore}>${found.busy ? "Loading…" : "Older"}</button>`}</footer>`;
}

function Table({ found, columns, zone, hit }) {
  return html`<table class="table rows" data-old=${String(found.old)}>
    <thead><tr>${columns.map(({ name, label, number }) => html`<th key=${name} scope="col" class=${number ? "number" : ""}>${label}</th>`)}</tr></thead>
    <tbody>${found.rows.map((row) => html`<${Row} key=${row.cursor} row=${row} columns=${columns} zone=${zone} open=${row.hit_id === hit} />`)}</tbody>
  </table>`;
}

function Row({ row, columns, zone, open }) {
  const show = () => openHit(row.hit_id, momentOf(row));
  const first = columns[0];
  return html`<tr data-open=${String(open)} onClick=${(click) => click.target.closest("button, a") || String(getSelection()) || show()}>
    <th scope="row" class=${`c-${first.name}`}><button type="button" class="plain" title="Show all its fields" onClick=${show}>${first.cell(row, zone)}</button></th>
    ${columns.slice(1).map(({ name, cell, number }) => html`<td key=${name} class=${`c-${name} ${number ? "number" : ""}`}>${cell(row, zone)}</td>`)}
  </tr>`;
}

function Nothing({ state, search }) {
  const filtered = state.filter.length > 0 || search;
  const clear = () => (go({ filter: [] }), place({ search: "" }, { replace: true }));
  return html`<div class="nothing rows-none"><p><b>No events${filtered ? " like this" : ""} in this period.</b></p>
    <p>${filtered && html`<button type="button" class="link" onClick=${clear}>Take filters and search away</button>`}<button type="button" class="link" onClick=${() => go({ period: "12mo", from: "", to: "" })}>Look at 12 months</button>${state.people !== "false" && html`<button type="button" class="link" onClick=${() => go({ people: "false" })}>Show machines, too</button>`}</p></div>`;
}

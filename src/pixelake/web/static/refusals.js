// The table of what was refused: reasons with how often, the newest first, searched; each row says why and can be replayed.

import { parameters } from "./address.js";
import { useAnswer, useTick } from "./asking.js";
import { Foot, Fresh, Search } from "./eventlist.js";
import { compact, dayTime } from "./format.js";
import { usePaged } from "./paged.js";
import { openHit, place, usePlace } from "./place.js";
import { Exports } from "./rows.js";
import { Failure, Outside, Skeleton, clean, html, useEffect } from "./ui.js";

/** Of all sites together: a reject may name none. */
export function Refusals({ state, told }) {
  const { search = "", reason = "", hit } = usePlace();
  const { period, from, to, zone } = parameters(state);
  const span = { period, from, to, zone };
  const given = { ...span, search, reason };
  const reasons = useAnswer("rejects", span, useTick());
  const found = usePaged("refused", given);
  const shownZone = found.answer?.zone;
  useEffect(() => void (shownZone && told({ zone: shownZone })), [shownZone]);
  return html`
    <div class="tools"><${Search} text=${search} label="Search rejects" hint="Search reason, faults, name" /><${Exports} question="refused" given=${given} /></div>
    <${Reasons} rows=${reasons.answer?.rows ?? []} at=${reason} />
    <div class="faults-of"><${Failure} text=${found.fault} again=${found.again} /></div>
    <div class="events-box"><${Fresh} found=${found} what="reject" />
    <div id="rows" class="scroll" role="tabpanel" aria-label="Rejects" tabindex="0" aria-busy=${String(!found.answer && !found.fault)}>
      ${found.answer ? found.rows.length ? html`<${Table} found=${found} zone=${shownZone} hit=${hit} />` : html`<p class="nothing rows-none"><b>${search || reason ? "No reject like this in this period." : "Nothing was refused in this period."}</b></p>` : !found.fault && html`<div class="rows-wait"><${Skeleton} rows=${16} /></div>`}
    </div></div>
    <${Foot} found=${found} zone=${shownZone} />`;
}

/** A button a reason: only those with it. */
function Reasons({ rows, at }) {
  if (!rows.length) return null;
  const sums = new Map();
  for (const { value, hits } of rows) sums.set(value, (sums.get(value) ?? 0) + hits);
  return html`<div class="reasons" role="group" aria-label="Reasons">${[...sums].map(([value, hits]) => html`<button key=${value} type="button" class="button" aria-pressed=${String(value === at)} onClick=${() => place({ reason: value === at ? "" : value })}>${clean(value, 60)} <span class="quiet">${compact(hits)}</span></button>`)}</div>`;
}

function Table({ found, zone, hit }) {
  return html`<table class="table rows" data-old=${String(found.old)}>
    <thead><tr><th scope="col">Time</th><th scope="col">Reason</th><th scope="col">Stage</th><th scope="col">Faults</th></tr></thead>
    <tbody>${found.rows.map((row) => html`<${Row} key=${row.cursor} row=${row} zone=${zone} open=${row.hit_id === hit} />`)}</tbody>
  </table>`;
}

function Row({ row, zone, open }) {
  const show = () => openHit(row.hit_id, Date.parse(row.received_at));
  return html`<tr data-open=${String(open)} onClick=${(click) => click.target.closest("button, a") || String(getSelection()) || show()}>
    <th scope="row"><button type="button" class="plain" title="Why, and replay" onClick=${show}>${dayTime(row.received_at, zone)}</button></th>
    <td><b>${clean(row.reason, 60)}</b></td><td class="quiet">${clean(row.stage, 40)}</td><td><${Outside} text=${faultsOf(row.detail)} most=${300} /></td>
  </tr>`;
}

/** All faults in a line. */
function faultsOf(detail) {
  try {
    return JSON.parse(detail).map(({ field, text }) => [field, text].filter(Boolean).join(": ")).join("; ");
  } catch {
    return detail ?? "";
  }
}

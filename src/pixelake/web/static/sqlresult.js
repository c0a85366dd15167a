// An answer as a table, page by page, and as a chart where it has something to draw. However large, little is drawn at once.

import { count, duration } from "./format.js";
import { Picture, drawable } from "./sqlchart.js";
import { Dialog, Outside, clean, html, useEffect, useState } from "./ui.js";

const CELLS = 12_000; // drawn at once
const MOST_ROWS = 200;
const MOST_COLUMNS = 100;
const whole = new Intl.NumberFormat(undefined, { useGrouping: "min2" });
const broken = new Intl.NumberFormat(undefined, { useGrouping: "min2", maximumFractionDigits: 6 });
const small = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });

/** `answer`: { columns, rows, seconds }; `tools` stand beside its heading. */
export function Result({ answer, tools }) {
  const { columns, rows, seconds } = answer;
  const [asChart, setAsChart] = useState(false);
  const [page, setPage] = useState(0);
  const [open, setOpen] = useState(null);
  const drawn = drawable(answer);
  useEffect(() => (setPage(0), setOpen(null)), [answer]);
  const size = Math.max(10, Math.min(MOST_ROWS, Math.floor(CELLS / Math.min(MOST_COLUMNS, columns.length || 1))));
  return html`<header class="card-head"><h2>${count(rows.length)} ${rows.length === 1 ? "row" : "rows"} <span class="quiet">in ${duration(seconds)}</span></h2>
      <span class="answer-tools">${drawn && html`<div class="tabs" role="group" aria-label="Show as">${[[false, "Table"], [true, "Chart"]].map(([one, label]) => html`<button key=${label} type="button" aria-pressed=${String(one === asChart)} onClick=${() => setAsChart(one)}>${label}</button>`)}</div>`}${tools}</span></header>
    ${drawn && asChart ? html`<${Picture} answer=${answer} how=${drawn} />` : html`<${Rows} columns=${columns} rows=${rows} from=${page * size} size=${size} open=${setOpen} />
      <${Pager} page=${page} size=${size} all=${rows.length} go=${setPage} />`}
    ${columns.length > MOST_COLUMNS && html`<p class="quiet pad">${count(columns.length - MOST_COLUMNS)} more columns are not drawn; a row by its number, and what you save, has all.</p>`}
    ${open != null && html`<${Row} columns=${columns} row=${rows[open]} number=${open + 1} done=${() => setOpen(null)} />`}`;
}

const isNumber = (type) => type === "int" || type === "float";

function Rows({ columns, rows, from, size, open }) {
  if (!rows.length) return html`<p class="nothing pad">No rows. The query ran, and nothing fits it.</p>`;
  const shown = columns.slice(0, MOST_COLUMNS);
  return html`<div class="scroll answer-rows" tabindex="0" role="region" aria-label="Rows"><table class="table">
    <thead><tr><th scope="col" class="number">#</th>${shown.map(({ name, type }, at) => html`<th key=${at} scope="col" class=${isNumber(type) ? "number" : ""}><${Outside} text=${name} most=${60} />${type === "time" && html` <i>UTC</i>`}</th>`)}</tr></thead>
    <tbody>${rows.slice(from, from + size).map((row, at) => html`<tr key=${from + at}><td class="number"><button type="button" class="plain" title="The whole row" aria-label=${`Row ${from + at + 1}, whole`} onClick=${() => open(from + at)}>${count(from + at + 1)}</button></td>
      ${shown.map(({ name, type }, column) => html`<td key=${column} class=${isNumber(type) ? "number" : ""}><${Cell} value=${row[name]} type=${type} /></td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function Cell({ value, type, most = 120 }) {
  if (value == null) return html`<span class="null">null</span>`;
  if (value === "") return html`<span class="null">empty</span>`;
  if (isNumber(type) && typeof value !== "string") return number(value);
  return html`<${Outside} text=${written(value, type)} most=${most} />`;
}

function number(value) {
  if (typeof value === "bigint" || Number.isInteger(value)) return whole.format(value);
  return (Math.abs(value) < 1 ? small : broken).format(value);
}

/** A value as text: times without their `T` and `Z`, structures as JSON. */
function written(value, type) {
  if (type === "time") return String(value).replace("T", " ").replace(/Z$/, "");
  if (typeof value !== "object") return String(value);
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : each));
}

function Pager({ page, size, all, go }) {
  if (all <= size) return null;
  const last = Math.ceil(all / size) - 1;
  return html`<nav class="pager" aria-label="Pages of the answer">
    <button type="button" class="button" disabled=${page === 0} onClick=${() => go(page - 1)}>Previous</button>
    <span class="quiet" role="status">${count(page * size + 1)} to ${count(Math.min(all, (page + 1) * size))} of ${count(all)}</span>
    <button type="button" class="button" disabled=${page === last} onClick=${() => go(page + 1)}>Next</button>
  </nav>`;
}

const LONGEST = 20_000;

/** Every column of one row, with its whole value. */
function Row({ columns, row, number, done }) {
  return html`<${Dialog} title=${`Row ${count(number)}`} class="wide" done=${done}><dl class="whole-row scroll" tabindex="0">${columns.slice(0, 1000).map(({ name, type }, at) => html`<div key=${at}><dt><${Outside} text=${name} /><i>${type}</i></dt><dd dir="auto">${row[name] == null || row[name] === "" ? html`<${Cell} value=${row[name]} />` : clean(written(row[name], type), LONGEST)}</dd></div>`)}</dl><//>`;
}

// A picture of an SQL answer: lines over time, or bars by the first column. Only where both are there, and not too much.

import { count } from "./format.js";
import { Outside, clean, html, useEffect, useState } from "./ui.js";

const MOST_POINTS = 2000;
const MOST_BARS = 40;
const MOST_LINES = 4;
const STEPS = [["minute", 60], ["quarter", 900], ["hour", 3600], ["day", 86_400], ["week", 604_800], ["month", 28 * 86_400]];

/** How an answer can be drawn: { kind: "time" | "bars", x, dates, numbers }; null: it cannot. */
export function drawable({ columns, rows }) {
  if (rows.length < 2 || rows.length > MOST_POINTS) return null;
  const time = columns.find(({ type }) => type === "time" || type === "date");
  const x = time ?? columns.find(({ type }) => type === "text") ?? columns[0];
  const numbers = columns.filter((column) => column !== x && (column.type === "int" || column.type === "float")).map(({ name }) => name);
  return numbers.length ? { kind: time && grows(rows, x.name) ? "time" : "bars", x: x.name, dates: x.type === "date", numbers } : null;
}

/** Whether each row has a moment of its own, and all go one way. */
function grows(rows, name) {
  const moments = rows.map((row) => Date.parse(row[name]));
  const steps = moments.slice(1).map((moment, at) => moment - moments[at]);
  return steps.every((step) => step > 0) || steps.every((step) => step < 0);
}

/** The picture; `how` as `drawable` told. */
export function Picture({ answer, how }) {
  return how.kind === "time" ? html`<${Lines} answer=${answer} how=${how} />` : html`<${Bars} answer=${answer} how=${how} />`;
}

const numeric = (value) => (value == null ? null : Number(value));

function Lines({ answer, how }) {
  const [Chart, setChart] = useState(null);
  useEffect(() => void import("./chart.js").then((found) => setChart(() => found.Chart)), []);
  const rows = [...answer.rows].sort((one, other) => Date.parse(one[how.x]) - Date.parse(other[how.x]));
  const series = how.numbers.slice(0, MOST_LINES).map((name, at) => ({ name: `column-${at}`, label: clean(name, 40), colour: `--chart-${at + 1}`, values: rows.map((row) => numeric(row[name])), kind: at ? "line" : "area" }));
  const buckets = rows.map((row) => (row[how.x].length === 10 ? `${row[how.x]}T00:00:00Z` : row[how.x]));
  return html`<div class="pad picture">${Chart ? html`<${Chart} series=${series} buckets=${buckets} interval=${interval(buckets)} zone="UTC" height=${280} title="The answer as a chart" />` : html`<p class="nothing">Drawing …</p>`}<p class="quiet axis-note">By ${clean(how.x, 60)}${how.dates ? "" : ", UTC"}</p></div>`;
}

/** The interval of buckets, by the least step between two. */
function interval(buckets) {
  const moments = buckets.map((each) => Date.parse(each) / 1000);
  const least = Math.min(...moments.slice(1).map((moment, at) => moment - moments[at]));
  return STEPS.filter(([, seconds]) => seconds <= least).at(-1)?.[0] ?? "minute";
}

/** Bars from the left, of one number that can be chosen. */
function Bars({ answer, how }) {
  const [picked, setPicked] = useState(how.numbers[0]);
  const name = how.numbers.includes(picked) ? picked : how.numbers[0];
  const rows = answer.rows.slice(0, MOST_BARS);
  const most = Math.max(...rows.map((row) => Math.abs(Number(row[name] ?? 0))), 0) || 1;
  return html`<div class="pad picture">
    ${how.numbers.length > 1 && html`<label class="quiet">Length of bars <select value=${name} onChange=${(event) => setPicked(event.target.value)}>${how.numbers.map((each) => html`<option key=${each} value=${each}>${clean(each, 60)}</option>`)}</select></label>`}
    <ol class="bars" aria-label=${`${clean(name, 60)} by ${clean(how.x, 60)}`}>${rows.map((row, at) => html`<li key=${at}><${Outside} text=${row[how.x] ?? "null"} most=${80} /><span class="track"><span class="bar-fill" data-less=${String(Number(row[name]) < 0)} style=${{ width: `${(100 * Math.abs(Number(row[name] ?? 0))) / most}%` }}></span></span><b>${row[name] == null ? "–" : typeof row[name] === "bigint" ? row[name].toLocaleString() : count(row[name])}</b></li>`)}</ol>
    ${answer.rows.length > MOST_BARS && html`<p class="quiet">The first ${MOST_BARS} of ${count(answer.rows.length)} rows.</p>`}
  </div>`;
}

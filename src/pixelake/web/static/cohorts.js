// Cohorts: users by the week or month of their first event, and how many of them came back in each one after it.

import { parameters } from "./address.js";
import { useAnswer } from "./asking.js";
import { count, day, figure } from "./format.js";
import { put } from "./hash.js";
import { Exports } from "./rows.js";
import { Failure, Skeleton, clean, html } from "./ui.js";

const MOST = 53; // columns
const DEEPEST = 50; // percent of the colour, so that the text on it stays readable

/** The tab. `given.by`: `week` or `month`. */
export function Cohorts({ state, given }) {
  const by = given.get("by") === "month" ? "month" : "week";
  const asked = { ...parameters(state), compare: "", by, limit: 10_000 };
  const { answer, fault, old, again } = useAnswer("cohorts", asked);
  const rows = answer?.rows ?? [];
  const others = rows.find(({ cohort }) => cohort == null);
  return html`<section class="card cohorts" aria-label="Cohorts" aria-busy=${String(!answer && !fault)}>
    <header class="card-head"><h2>Who comes back</h2><span class="answer-tools"><label class="quiet">By <select aria-label="Collected by" value=${by} onChange=${(event) => put("cohorts", [["by", event.target.value === "week" ? "" : "month"]], { replace: true })}><option value="week">week</option><option value="month">month</option></select></label><${Exports} question="cohorts" given=${asked} /></span></header>
    <div class="pad">
      <p class="quiet">Users by the ${by} of their first event ever, which lies in the period: choose a longer one to see more.</p>
      <${Failure} text=${fault} again=${again} />
      ${answer ? html`<div data-old=${String(old)}><${Heat} rows=${rows.filter(({ cohort }) => cohort != null)} by=${by} /></div>` : !fault && html`<${Skeleton} rows=${6} />`}
      ${others && html`<p class="quiet notes">${count(others.hits ?? 0)} events (${figure(others.hits_share, "share")}) are of people without a user id: ${clean(others.why ?? "whether they came back is not known", 300)}.</p>`}
      ${answer && html`<p class="quiet notes">${by === "week" ? "Weeks begin on Monday" : "Months begin on the first"}, by ${clean(answer.zone, 60)}. What is hatched is not over yet.</p>`}
    </div>
  </section>`;
}

/** Rows of one cohort each: [{ cohort, size, cells: Map(number -> row) }]. */
function collected(rows) {
  const cohorts = new Map();
  for (const row of rows) {
    if (!cohorts.has(row.cohort)) cohorts.set(row.cohort, { cohort: row.cohort, size: row.size, cells: new Map() });
    cohorts.get(row.cohort).cells.set(row.number, row);
  }
  return [...cohorts.values()];
}

function Heat({ rows, by }) {
  if (!rows.length) return html`<p class="nothing">No user was here for the first time in this period. Cohorts are of people with a user id: send it as <code>user=</code>.</p>`;
  const cohorts = collected(rows);
  const last = Math.min(MOST - 1, Math.max(...rows.map(({ number }) => number)));
  const numbers = Array.from({ length: last + 1 }, (_, number) => number);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Each cohort"><table class="heat">
    <thead><tr><th scope="col">First seen</th><th scope="col" class="number">Users</th>${numbers.map((number) => html`<th key=${number} scope="col">${number ? `${by} ${number}` : "same"}</th>`)}</tr></thead>
    <tbody>${cohorts.map(({ cohort, size, cells }) => html`<tr key=${cohort}><th scope="row">${day(cohort, "UTC")}</th><td class="number">${count(size)}</td>${numbers.map((number) => html`<${Cell} key=${number} row=${cells.get(number)} />`)}</tr>`)}</tbody>
  </table></div>`;
}

function Cell({ row }) {
  if (!row) return html`<td></td>`;
  const depth = Math.round(DEEPEST * Math.min(1, row.retention ?? 0));
  return html`<td data-whole=${String(Boolean(row.whole))} title=${`${count(row.people ?? 0)} of ${count(row.size ?? 0)}`} style=${{ backgroundColor: `color-mix(in srgb, var(--chart-1) ${depth}%, transparent)` }}>${figure(row.retention, "share")}</td>`;
}

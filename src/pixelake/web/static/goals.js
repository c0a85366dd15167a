// Goals: what people should do, how often they did, and for an owner the form to declare them.

import { parameters } from "./address.js";
import { explain, send } from "./api.js";
import { useAnswer } from "./asking.js";
import { count, figure } from "./format.js";
import { useDeclared } from "./funnels.js";
import { Changed, Exports } from "./rows.js";
import { Condition, parsed, said, useSuggestions } from "./steps.js";
import { Sure } from "./sure.js";
import { Dialog, Failure, Outside, Skeleton, clean, html, useState } from "./ui.js";

/** The tab. */
export function Goals({ me, state }) {
  const [adding, setAdding] = useState(false);
  const [gone, setGone] = useState("");
  const declared = useDeclared(state.site);
  const given = { ...parameters(state), limit: 1000 };
  const { answer, fault, old, again } = useAnswer("goals", given);
  const changed = () => (setAdding(false), setGone(""), declared.look(), again());
  const owns = me.role === "owner" && state.site;
  return html`<section class="card goals" aria-label="Goals" aria-busy=${String(!answer && !fault)}>
    <header class="card-head"><h2>Goals</h2><span class="answer-tools">${owns && html`<button type="button" class="button" onClick=${() => setAdding(true)}>Add a goal …</button>`}<${Exports} question="goals" given=${given} /></span></header>
    <div class="pad">
      <p class="quiet">${told(state, me, declared)}</p>
      <${Failure} text=${fault || declared.fault} again=${again} />
      ${answer ? html`<${Table} rows=${merged(answer.rows, declared.goals)} declared=${declared.goals} old=${old} compared=${given.compare} remove=${owns && setGone} />` : !fault && html`<${Skeleton} rows=${5} />`}
    </div>
    ${adding && html`<${Add} state=${state} done=${changed} />`}
    ${gone && html`<${Sure} title="Remove a goal" text=${`The site no longer declares “${clean(gone, 80)}”. The events stay.`} act=${() => send("DELETE", "declared/goal", undefined, { site: state.site, name: gone })} done=${changed} />`}
  </section>`;
}

function told(state, me, { goals }) {
  if (!state.site) return "Of all sites together. Choose a site above to see what its goals are, and to add one.";
  if (goals.length) return "A goal is an event that passes all its filters. They hold for the past, too.";
  return `${clean(state.site, 60)} declares no goal: until it does, every event but views is one.${me.role === "owner" ? "" : " An owner can add goals."}`;
}

/** The rows, and those goals that nobody reached. */
function merged(rows, goals) {
  const seen = new Set(rows.map(({ value }) => value));
  return [...rows, ...goals.filter(({ name }) => !seen.has(name)).map(({ name }) => ({ value: name, conversions: 0, visits: 0, rate: 0, daily_visitors: 0 }))];
}

function Table({ rows, declared, old, compared, remove }) {
  if (!rows.length) return html`<p class="nothing">Nothing but views in this period. Send an event with the pixel, for example <code>event=signup</code>, or add a goal for a page.</p>`;
  const filters = new Map(declared.map((goal) => [goal.name, goal]));
  const most = Math.max(1, ...rows.map(({ conversions }) => conversions));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Each goal" data-old=${String(old)}><table class="table">
    <thead><tr><th scope="col">Goal</th><th scope="col" class="number">Reached</th>${compared && html`<th scope="col" class="number">Change</th>`}<th scope="col" class="number" title="Visits that reached it">Visits</th><th scope="col" class="number" title="Of all visits">Rate</th><th scope="col" class="number" title="People of each day, added up">Visitors</th><th scope="col" class="number">Worth</th>${remove && html`<th scope="col"><span class="spoken">Remove</span></th>`}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.value}>
      <th scope="row"><${Outside} text=${row.value} /><span class="goal-bar" aria-hidden="true"><i style=${{ width: `${(100 * row.conversions) / most}%` }}></i></span>${filters.has(row.value) && html`<span class="quiet filters"><${Outside} text=${filters.get(row.value).filters.join(" and ")} most=${200} /></span>`}</th>
      <td class="number"><b>${count(row.conversions)}</b></td>${compared && html`<td class="number"><${Changed} row=${row} column="conversions" good=${1} /></td>`}
      <td class="number">${count(row.visits)}</td><td class="number">${figure(row.rate, "share")}</td><td class="number">${count(row.daily_visitors)}</td><td class="number">${figure(row.worth, "amount")}</td>
      ${remove && html`<td class="number">${filters.has(row.value) && html`<button type="button" class="button ghost" aria-label=${`Remove ${clean(row.value, 80)}`} onClick=${() => remove(row.value)}>✕</button>`}</td>`}
    </tr>`)}</tbody>
  </table></div>`;
}

const MOST = 10;

function Add({ state, done }) {
  const [name, setName] = useState("");
  const [worth, setWorth] = useState("");
  const [conditions, setConditions] = useState([parsed("")]);
  const [fault, setFault] = useState("");
  const known = useSuggestions(state);
  const filters = conditions.map(said).filter(Boolean);
  const put = (at, one) => setConditions(conditions.map((each, place) => (place === at ? one : each)));
  const add = (event) => {
    event.preventDefault();
    send("PUT", "declared/goal", { filters, worth: worth.trim() || null }, { site: state.site, name: name.trim() }).then(done, (error) => setFault(explain(error)));
  };
  return html`<${Dialog} title="Add a goal" done=${done}><form class="form" onSubmit=${add}>
    <label>Name <input required maxlength="80" placeholder="signup" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <fieldset><legend>Reached by an event that passes all of these</legend>${conditions.map((one, at) => html`<${Condition} key=${at} one=${one} name=${`Filter ${at + 1}`} known=${known} change=${(next) => put(at, next)} />`)}
      ${conditions.length < MOST && html`<button type="button" class="link" onClick=${() => setConditions([...conditions, parsed("")])}>And …</button>`}</fieldset>
    <label>Worth each time, if you like <input inputmode="decimal" maxlength="20" placeholder="2.50" value=${worth} onInput=${(event) => setWorth(event.target.value)} /></label>
    <p class="quiet">One of the same name is replaced. It holds at once, also for the past.</p>
    <${Failure} text=${fault} />
    <div class="actions"><button type="submit" class="button primary" disabled=${!filters.length}>Add</button></div>
  </form><//>`;
}

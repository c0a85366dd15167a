// A panel: tabs of lists, each a question. A click on a row filters; "All" opens the whole list with search and exports.

import { askable } from "./address.js";
import { useAnswer, useNear } from "./asking.js";
import { count, figure } from "./format.js";
import { Changed, Exports, asked, columnName, filterBy, filtersOf, rowName } from "./rows.js";
import { WholeList } from "./wholelist.js";
import { Failure, Outside, Skeleton, clean, html, useState } from "./ui.js";

const TOP = 9;
/** One card: `charts` are its tabs, `map` draws what stands above a list of countries. */
export function Panel({ title, charts, state, tick, map }) {
  const [at, setAt] = useState(charts[0].name);
  const [option, setOption] = useState({});
  const [name, setName] = useState("");
  const [whole, setWhole] = useState(false);
  const [place, near] = useNear();
  const chart = charts.find((each) => each.name === at) ?? charts[0];
  const picked = option[chart.name] ?? Object.keys(chart.by?.[1] ?? {})[0];
  const drilled = chart.filter === "properties" ? name : "";
  const given = asked(chart, state, picked, drilled);
  const { answer, fault, old, again } = useAnswer(chart.wide && !near ? null : chart.question, { ...given, limit: TOP }, tick);
  const own = answer?.question === chart.question ? answer : null;
  const pick = (row) => (chart.filter === "properties" && !drilled ? setName(row.value) : filterBy(chart, state, filtersOf(chart, row, picked, drilled)));
  return html`<section class="card panel" ref=${place} aria-label=${title} data-panel=${title} aria-busy=${String(!own && !fault && (near || !chart.wide))}>
    <header class="card-head">
      <h2>${title}</h2>
      <${Tabs} title=${title} charts=${charts} at=${chart.name} pick=${(one) => (setAt(one), setName(""))} />
    </header>
    <div class="panel-body" role="tabpanel" aria-label=${chart.title} id=${`panel-${chart.name}`} tabindex="-1">
      <p class="columns"><span>${drilled ? html`<button type="button" class="link" onClick=${() => setName("")}>Properties</button> › <${Outside} text=${drilled} most=${40} />` : chart.by ? html`<${By} chart=${chart} picked=${picked} pick=${(one) => setOption({ ...option, [chart.name]: one })} />` : html`<span title=${chart.help}>${chart.help}</span>`}</span><b>${columnName(chart)}</b></p>
      <${Failure} text=${fault} again=${again} />
      ${chart.kind === "map" && map && html`<${map} rows=${own?.rows ?? []} column=${chart.column} given=${given} tick=${tick} pick=${pick} />`}
      ${own ? html`<${List} chart=${chart} rows=${own.rows} old=${old} pick=${chart.filter ? pick : null} compared=${given.compare} site=${given.site} />` : !fault && html`<${Skeleton} rows=${TOP} />`}
    </div>
    <footer class="panel-foot">
      <button type="button" class="link" disabled=${!own?.rows.length} onClick=${() => setWhole(true)}>All</button>
      <${Exports} question=${chart.question} given=${given} />
    </footer>
    ${whole && html`<${WholeList} chart=${chart} given=${given} pick=${chart.filter ? pick : null} done=${() => setWhole(false)} />`}
  </section>`;
}

function Tabs({ title, charts, at, pick }) {
  const move = (key) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];
    if (!step) return;
    key.preventDefault();
    const next = charts[(charts.findIndex(({ name }) => name === at) + step + charts.length) % charts.length];
    pick(next.name);
    key.currentTarget.querySelector(`[data-tab="${next.name}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${title} onKeyDown=${move}>${charts.map(({ name, title: label }) => html`<button key=${name} type="button" role="tab" data-tab=${name} aria-controls=${name === at ? `panel-${name}` : undefined} aria-selected=${String(name === at)} tabindex=${name === at ? 0 : -1} onClick=${() => pick(name)}>${label}</button>`)}</div>`;
}

function By({ chart, picked, pick }) {
  return html`<select aria-label="By" value=${picked} onChange=${(event) => pick(event.target.value)}>${Object.entries(chart.by[1]).map(([name, label]) => html`<option key=${name} value=${name}>${label}</option>`)}</select>`;
}

/** Rows with bars; a button each, where a click means something. */
export function List({ chart, rows, old, pick, compared, site }) {
  if (!rows.length) return html`<p class="nothing">Nothing of this in the period.</p>`;
  const most = Math.max(1, ...rows.map((row) => Number(row[chart.column] ?? 0)));
  return html`<ol class="list" data-old=${String(old)}>${rows.map((row, place) => html`<${Row} key=${`${row[chart.key]} ${place}`} chart=${chart} row=${row} most=${most} pick=${pick} compared=${compared} site=${site} />`)}</ol>`;
}

function Row({ chart, row, most, pick, compared, site }) {
  const number = row[chart.column];
  const name = html`<${Outside} text=${rowName(chart, row, site)} class=${row[chart.key] == null ? "quiet" : ""} />`;
  const told = `${clean(rowName(chart, row), 100)}: ${count(Number(number ?? 0))}. Filter by it.`;
  return html`<li>
    <span class="fill" aria-hidden="true" style=${{ width: `${(100 * Number(number ?? 0)) / most}%` }}></span>
    ${pick && askable(row[chart.key]) ? html`<button type="button" title=${told} onClick=${() => pick(row)}>${name}</button>` : name}
    ${compared && html`<${Changed} row=${row} column=${chart.column} good=${chart.good} />`}
    <b title=${count(Number(number ?? 0))}>${figure(number, chart.unit)}</b>
  </li>`;
}

// The overview: how it is going, in figures, over time, and by everything that a question can tell apart.

import { go, parameters } from "./address.js";
import { SHARE, explain, get } from "./api.js";
import { useAnswer, useNear, useTick } from "./asking.js";
import { count, dayTime, figure, share } from "./format.js";
import { Panel } from "./panel.js";
import { Change } from "./rows.js";
import { mount } from "./shell.js";
import { Failure, Menu, html, useEffect, useRef, useState } from "./ui.js";

const chartParts = import("./chart.js");
const mapParts = import("./map.js");
for (const parts of [chartParts, mapParts]) parts.catch(() => {}); // whoever draws them says so

/** A part that is loaded by itself: the rest of the page does not wait for it, nor fail with it. */
function useLoaded(loading, name) {
  const [part, setPart] = useState(null);
  useEffect(() => void loading.then((loaded) => setPart(() => loaded[name]), () => setPart(() => Unloaded)), []);
  return part;
}

function Unloaded() {
  return html`<p class="failed">This part of the page could not be loaded. Reload the page.</p>`;
}

// --- the headline ---------------------------------------------------------------------------------

/** Of visitors over several days: those of each day, added up, where nobody can tell more. */
const valueOf = (row, column, head = "") => row[head + column] ?? (column === "visitors" ? row[`${head}daily_visitors`] : null);

function Figure({ chart, answer, old, picked, pick }) {
  const row = answer?.rows[0];
  const added = row && chart.column === "visitors" && row.visitors == null;
  const number = row && valueOf(row, chart.column);
  const change = row && ("change_views" in row) && (added ? row.change_daily_visitors : row[`change_${chart.column}`]);
  return html`<button type="button" class="figure" role="radio" aria-checked=${String(picked)} title=${chart.help} data-old=${String(old)} onClick=${pick}>
    <span class="name">${added ? `${chart.title}, daily` : chart.title}</span>
    <span class="value">${row ? figure(number, chart.unit) : html`<i class="wait" aria-hidden="true"></i>`}</span>
    <span class="was">${row && html`<${Was} change=${change} before=${valueOf(row, chart.column, "before_")} chart=${chart} />`}</span>
  </button>`;
}

/** By how much it changed, and what it was in the period before. */
function Was({ change, before, chart }) {
  if (!Number(before)) return html`<span class="quiet">nothing before</span>`;
  return html`<${Change} share=${change} good=${chart.good} /> <span class="quiet">from ${figure(before, chart.unit)}</span>`;
}

function Head({ charts, state, tick, metric, setMetric }) {
  const given = parameters(state);
  const { answer, fault, old, again } = useAnswer("overview", { ...given, people: state.people, compare: "true" }, tick);
  const all = useAnswer("overview", { ...given, people: "false", compare: "" }, tick).answer;
  const figures = charts.filter(({ kind }) => kind === "figure");
  return html`<div class="head" aria-busy=${String(!answer && !fault)}>
    <div class="figures" role="radiogroup" aria-label="Figures; the chosen one is drawn below">${figures.map((chart) => html`<${Figure} key=${chart.name} chart=${chart} answer=${answer} old=${old} picked=${chart.name === metric} pick=${() => setMetric(chart.name)} />`)}</div>
    <${Failure} text=${fault} again=${again} />
    <${Left} answer=${answer} all=${all} state=${state} />
  </div>`;
}

/** What was left out, and the switch that puts it back. */
function Left({ answer, all, state }) {
  const hits = answer?.rows[0].hits;
  const every = all?.rows[0].hits;
  if (hits == null || every == null) return html`<p class="left quiet"> </p>`;
  if (state.people === "false") return html`<p class="left quiet">Machines, repeats and prefetches are counted as well. <button type="button" class="link" onClick=${() => go({ people: "" })}>People alone</button></p>`;
  return html`<p class="left quiet"><b>${share(every - hits, every)}</b> of ${count(every)} hits are no person's, and left out. <button type="button" class="link" onClick=${() => go({ people: "false" })}>Put them back</button></p>`;
}

// --- over time ------------------------------------------------------------------------------------

const STEPS = [[90, "minute"], [1000, "quarter"], [5400, "hour"], [93600, "day"], [700000, "week"]];

const MARKED = 92 * 864e5; // ms: longer periods have no unusual hours

/** The interval of buckets: what lies between the first two. */
function intervalOf(rows, chosen) {
  if (chosen || rows.length < 2) return chosen || "day";
  const seconds = (Date.parse(rows[1].bucket) - Date.parse(rows[0].bucket)) / 1000;
  return STEPS.find(([most]) => seconds <= most)?.[1] ?? "month";
}

function OverTime({ chart, state, tick, near }) {
  const Chart = useLoaded(chartParts, "Chart");
  const given = parameters(state);
  const { answer, fault, old, again } = useAnswer("series", { ...given, interval: state.interval }, tick);
  const told = answer && !old && Date.parse(answer.to) - Date.parse(answer.from) <= MARKED;
  const unusual = useAnswer(near && told && !state.filter.length ? "unusual" : null, { site: state.site, from: given.from, to: given.to, period: given.period, zone: given.zone, limit: 20 }).answer;
  const rows = answer?.rows ?? [];
  const line = { name: chart.name, label: chart.title, colour: "--chart-1", unit: chart.unit, kind: "area", values: rows.map((row) => valueOf(row, chart.column)) };
  const before = given.compare && rows.length && "before_views" in rows[0] ? [{ ...line, label: "Before", values: rows.map((row) => valueOf(row, chart.column, "before_")) }] : null;
  return html`<div class="over-time" data-old=${String(old)} aria-busy=${String(!answer && !fault)}>
    <${Failure} text=${fault} again=${again} />
    ${Chart && answer ? html`<${Chart} title=${chart.title} series=${[line]} buckets=${rows.map((row) => row.bucket)} before=${before} interval=${intervalOf(rows, state.interval)} zone=${answer.zone} until=${answer.to} unusual=${unusual?.rows.filter(({ what }) => what === "site" || what === "all") ?? []} height=${260} open=${Date.parse(answer.to) > Date.now() - 6e4} onPick=${(from, to) => go({ period: "", from, to, interval: "" })} />` : html`<div class="chart-wait" aria-hidden="true"></div>`}
    <p class="axis-note quiet">${answer ? `Times in ${answer.zone.replaceAll("_", " ")}` : " "}</p>
    ${unusual?.rows.length > 0 && html`<${Unusual} rows=${unusual.rows} zone=${answer?.zone} />`}
  </div>`;
}

/** How many stretches: of the whole first, as these are marked in the chart. */
function summary(rows) {
  const whole = rows.filter(({ what }) => what === "site" || what === "all").length;
  const count = (number) => (number === 1 ? "One stretch is" : `${number} stretches are`);
  const parts = rows.length - whole;
  if (!whole) return `${count(parts)} unusual for a page, a source or a country`;
  return `${count(whole)} unusual${parts ? `, and ${parts} for a page, a source or a country` : ""}`;
}

function Unusual({ rows, zone }) {
  return html`<details class="unusual"><summary>${summary(rows)}</summary><ul>${rows.map((row, place) => html`<li key=${place}><time>${dayTime(row.begins, zone)}</time> <span class="outside" dir="auto">${row.reason}</span></li>`)}</ul></details>`;
}

// --- the page -------------------------------------------------------------------------------------

function Places({ rows, column, pick }) {
  const WorldMap = useLoaded(mapParts, "WorldMap");
  const shown = rows.filter((row) => row.value).map((row) => ({ value: row.value, count: Number(row[column] ?? 0), row }));
  return html`<div class="map-box">${WorldMap && html`<${WorldMap} rows=${shown} label="Visitors" onPick=${(code) => pick(shown.find(({ value }) => value === code)?.row ?? { value: code })} />`}</div>`;
}

/** The map wants all countries, the list below it the first ones. */
function AllPlaces({ given, tick, column, pick }) {
  const { answer } = useAnswer("countries", { ...given, limit: 300, compare: "" }, tick);
  return html`<${Places} rows=${answer?.rows ?? []} column=${column} pick=${pick} />`;
}

function Tools({ state, me }) {
  const [sharing, setSharing] = useState(null);
  const open = () => import("./share.js").then(({ ShareDialog }) => setSharing(() => ShareDialog));
  const choices = [
    { label: "Print", act: () => print() },
    { label: "Save the chart as a picture", act: () => savePicture(state) },
    ...(me.role === "owner" && state.site ? [{ label: "Share a read-only link …", act: open }] : []),
  ];
  return html`<${Menu} class="tools-menu" label="More" choices=${choices} />${sharing && html`<${sharing} site=${state.site} done=${() => setSharing(null)} />`}`;
}

async function savePicture(state) {
  const { savePicture: save } = await import("./picture.js");
  const note = document.querySelector(".axis-note").textContent;
  await save(document.querySelector(".over-time"), `${state.site || "All sites"}: ${document.querySelector(".figure[aria-checked=true] .name").textContent}`, note, "pixelake-chart.png");
}

function Main({ me, state }) {
  const [charts, setCharts] = useState(null);
  const [fault, setFault] = useState("");
  const [metric, setMetric] = useState("visitors");
  const [place, near] = useNear();
  const tick = useTick();
  const look = () => get("charts").then((found) => (setCharts(found), setFault("")), (error) => (setFault(explain(error)), setTimeout(look, 2000)));
  useEffect(() => void look(), []);
  const first = useFirst(state, tick);
  if (first) return html`<h1 class="spoken">Overview</h1><${first.Empty} state=${state} me=${me} />`;
  const rows = charts ?? [];
  const drawn = rows.find(({ name }) => name === metric);
  const panels = Map.groupBy ? Map.groupBy(rows.filter(({ panel }) => panel), ({ panel }) => panel) : grouped(rows);
  const shown = (chart) => !chart.whole || (!state.site && !SHARE && me.sites == null);
  return html`
    <h1 class="spoken">Overview</h1>
    <${Failure} text=${fault} />
    <section class="card board" aria-label="Figures" ref=${place}>
      <${Tools} state=${state} me=${me} />
      <${Head} charts=${rows} state=${state} tick=${tick} metric=${metric} setMetric=${setMetric} />
      ${drawn ? html`<${OverTime} chart=${drawn} state=${state} tick=${tick} near=${near} />` : html`<div class="chart-wait" aria-hidden="true"></div>`}
    </section>
    <div class="panels">${[...panels].map(([title, tabs]) => html`<${Panel} key=${title} title=${title} charts=${tabs.filter(shown)} state=${state} tick=${tick} map=${AllPlaces} />`)}</div>`;
}

function grouped(rows) {
  const found = new Map();
  for (const row of rows.filter(({ panel }) => panel)) found.set(row.panel, [...(found.get(row.panel) ?? []), row]);
  return found;
}

/** Before anything ever arrived: what to do, in place of empty panels. */
function useFirst(state, tick) {
  const [first, setFirst] = useState(null);
  const done = useRef(false);
  useEffect(() => {
    if (SHARE || done.current) return;
    let wanted = true;
    get("recent", { site: state.site, limit: 1 }).then(async (rows) => {
      if (!wanted) return;
      if (rows.length) return (done.current = true), setFirst(null);
      const { rows: ever } = await get("overview", { site: state.site, people: "false", period: "year" });
      if (!wanted) return;
      if (ever[0].hits) return (done.current = true), setFirst(null);
      const { Empty } = await import("./tag.js");
      if (wanted) setFirst({ Empty });
    }).catch(() => {}); // the panels say what is wrong
    return () => (wanted = false);
  }, [state.site, tick]);
  useEffect(() => () => ((done.current = false), setFirst(null)), [state.site]);
  return first;
}

mount({ page: "board", title: "Overview", main: Main, picks: true });

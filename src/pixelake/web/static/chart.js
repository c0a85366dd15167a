// A chart over time: series, the same of the period before, unusual stretches with their reasons; by mouse, by touch, by keyboard, and as a table.
// The page loads vendor/uplot-1.6.32/uPlot.iife.min.js with `defer`, its style sheet and chart.css. Without uPlot the table is shown.

import { bandsOf, layers, options } from "./plot.js";
import { moments, stretch, titles } from "./buckets.js";
import { changed, figure } from "./format.js";
import { clean, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./ui.js";

const HEAD = 30;
/** Rows up to which the table is there before somebody asks for it. */
const MOST_ROWS = 500;
const NONE = [];

/**
 * The chart; `height` px high in all, whatever it shows.
 *
 * series: [{ name, label, colour ("--chart-1"), values: [number|null], kind: "area|line|bars", unit }]; `unit` as of `figure`.
 * buckets: ISO texts; with an offset moments, without one on the wall clock of `zone`. Without an `interval` they are plain words.
 * before: the same series of the period before, by the number of the bucket.
 * unusual: [{ begins, ends, reason }]; `listed` also tells them below the plot's frame.
 * open: whether the last bucket is not over yet. until: when it ends, ISO.
 * onPick(from, to): who looks wants that part alone; `to` is "" where the last bucket is in it and has no end yet.
 */
export function Chart({ series, buckets, before, interval, zone, unusual, height = 260, onPick, title, open = false, until = "", listed = false }) {
  const [isTable, setTable] = useState(false);
  const name = clean(title ?? "Chart", 120);
  const given = { series, buckets, before, interval, zone, unusual, open, until };
  // By what is in them: a page makes its lists anew whenever it is drawn, and the same ones are not drawn again.
  const view = useMemo(() => viewed(given), [JSON.stringify(given)]);
  const drawable = typeof uPlot !== "undefined";
  const shown = isTable || !drawable;
  const pick = onPick && interval ? (first, last) => onPick(String(buckets[first]), last + 1 < view.size ? String(buckets[last + 1]) : until) : null;
  const table = useMemo(() => html`<${Table} view=${view} title=${name} />`, [view, name]);
  return html`<figure class="chart" aria-label=${name} style=${{ minHeight: `${height}px` }}>
    <div class="chart-head">
      <${Keys} series=${series} before=${view.before} />
      ${drawable && html`<button type="button" class="chart-switch" onClick=${() => setTable(!isTable)}>${shown ? "Show as chart" : "Show as table"}</button>`}
    </div>
    <div class="chart-body" style=${{ height: `${height - HEAD}px` }}>
      ${!shown && html`<${Plot} view=${view} title=${name} height=${height - HEAD} pick=${pick} />`}
      <div class=${shown ? "chart-table" : "chart-table spoken"} ...${shown ? { tabindex: 0, role: "region", "aria-label": `${name}, as a table` } : {}}>${(shown || view.size <= MOST_ROWS) && table}</div>
    </div>
    ${listed && html`<${Unusual} view=${view} />`}
  </figure>`;
}

/** What is shown, once for all who show it. */
function viewed({ series, buckets, before, interval, zone, unusual, open, until }) {
  const begins = interval ? moments(buckets, zone) : NONE;
  const words = interval ? null : buckets.map((word) => clean(word ?? "–", 80));
  return {
    series, interval, zone, begins, words,
    size: buckets.length,
    before: before ?? NONE,
    open: open && Boolean(interval),
    names: words ?? titles(begins, interval, zone),
    bands: bandsOf(unusual ?? NONE, begins, Date.parse(until)),
    isEmpty: !series.some(({ values }) => values.some((value) => Number(value))),
  };
}

function Keys({ series, before }) {
  return html`<ul class="chart-keys">
    ${series.map(({ name, label, colour, kind }) => html`<li key=${name} data-key=${colour || "--chart-1"} data-kind=${kind}><i aria-hidden="true" style=${{ background: `var(${colour || "--chart-1"})` }}></i>${clean(label, 60)}</li>`)}
    ${before.length > 0 && html`<li data-key="--chart-before" data-kind="before"><i aria-hidden="true"></i>Before</li>`}
  </ul>`;
}

// --- the plot --------------------------------------------------------------------------------------

function Plot({ view, title, height, pick }) {
  const [frame, area] = [useRef(null), useRef(null)];
  const held = useRef({ plot: null, at: null, from: null, shown: null });
  const tell = useRef(() => {});
  const now = useRef({});
  now.current = { view, pick, height };
  useLayoutEffect(() => draw(), [view, height]);
  useEffect(() => watched(area.current, () => fit(), draw), []);
  useEffect(() => () => held.current.plot?.destroy(), []);

  function draw() {
    const hooks = { setCursor: [moved], setSelect: [dragged] };
    held.current.plot?.destroy();
    held.current.plot = made(area.current, now.current.view, now.current.height, hooks, Boolean(now.current.pick));
    if (held.current.at != null) at(Math.min(held.current.at, now.current.view.size - 1));
  }
  function fit() {
    const width = area.current.clientWidth;
    if (!held.current.plot) draw();
    else if (width && width !== held.current.plot.width) held.current.plot.setSize({ width, height: now.current.height });
  }
  function moved(plot) {
    const index = plot.cursor.left < 0 ? null : plot.cursor.idx;
    held.current.at = index;
    tell.current(index == null ? null : { index, left: plot.valToPos(index, "x") + plot.over.offsetLeft, room: plot.width });
    if (index != null) frame.current.setAttribute("aria-valuenow", index + 1), frame.current.setAttribute("aria-valuetext", spoken(now.current.view, index));
  }
  function dragged(plot) {
    const { left, width } = plot.select;
    if (width > 0 && held.current.from == null) choose(plot.posToIdx(left), plot.posToIdx(left + width));
  }
  function choose(first, last) {
    held.current.plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    Object.assign(held.current, { from: null, shown: null });
    now.current.pick?.(Math.min(first, last), Math.max(first, last));
  }
  /** Puts the cursor on a bucket. */
  function at(index) {
    const { plot } = held.current;
    if (plot && now.current.view.size) plot.setCursor({ left: plot.valToPos(index, "x"), top: plot.over.clientHeight / 2 });
  }
  const leave = () => (held.current.plot?.setCursor({ left: -10, top: -10 }), stretched(held.current, null));
  const keys = (key) => walk(key, held.current, view, { at, choose: pick && choose, leave });
  // A finger shows a bucket first; only what was shown already is picked by a tap, as by a click.
  const press = () => (held.current.shown = held.current.at);
  const click = () => held.current.shown != null && held.current.shown === held.current.at && pick && choose(held.current.at, held.current.at);
  return html`<div class="chart-frame">
    <div class="chart-plot" data-pick=${String(Boolean(pick))} ref=${frame} tabindex="0" role="slider" aria-label=${`${title}: walk with the arrow keys${pick ? "; Enter shows that part alone, Shift with arrows takes more" : ""}`} aria-valuemin="1" aria-valuemax=${Math.max(1, view.size)} aria-valuenow=${Math.max(1, view.size)} aria-valuetext=${view.size ? spoken(view, view.size - 1) : "Nothing"} onKeyDown=${keys} onBlur=${leave} onPointerDown=${press} onClick=${click}>
      <div ref=${area}></div>
    </div>
    ${view.isEmpty && html`<p class="chart-empty">Nothing was counted in this period.</p>`}
    <${Tip} tell=${tell} view=${view} />
  </div>`;
}

function made(area, view, height, hooks, pickable) {
  const width = area.clientWidth;
  if (!width) return null;
  const drawn = layers(view);
  const data = [Array.from({ length: view.size }, (_, at) => at), ...drawn.map(({ values }) => values)];
  return new uPlot(options({ view, drawn, width, height, hooks, pickable }), data, area);
}

/** Fits the plot to its place, and draws it anew in other colours. Returns what ends it. */
function watched(area, fit, draw) {
  const sizes = new ResizeObserver(fit);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  sizes.observe(area);
  dark.addEventListener("change", draw);
  return () => (sizes.disconnect(), dark.removeEventListener("change", draw));
}

/** Arrows walk from bucket to bucket, with Shift they take a stretch; Enter picks it, Escape leaves. */
function walk(key, held, { size }, { at, choose, leave }) {
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: Math.ceil(size / 10), PageDown: -Math.ceil(size / 10), Home: -Infinity, End: Infinity };
  if (!size || key.ctrlKey || key.altKey || key.metaKey) return;
  if (key.key in steps) {
    const from = held.at ?? (steps[key.key] > 0 ? -1 : size);
    const next = Math.max(0, Math.min(size - 1, from + steps[key.key]));
    stretched(held, key.shiftKey && choose ? held.from ?? held.at ?? next : null, next);
    at(next);
  } else if (key.key === "Enter" && choose && held.at != null) choose(held.from ?? held.at, held.at);
  else if (key.key === "Escape" && held.at != null) leave();
  else return;
  key.preventDefault();
  key.stopPropagation();
}

/** Shows what would be picked, from one bucket to another; null: nothing. */
function stretched(held, from, to) {
  held.from = from;
  const place = (index) => held.plot?.valToPos(index, "x") ?? 0;
  const [left, right] = from == null ? [0, 0] : [place(Math.min(from, to)), place(Math.max(from, to))];
  held.plot?.setSelect({ left, width: right - left, top: 0, height: from == null ? 0 : held.plot.over.clientHeight }, false);
}

// --- in words --------------------------------------------------------------------------------------

const valueAt = ({ values, unit }, index) => figure(values[index], unit);
const isOpen = (view, index) => view.open && index === view.size - 1;
const reasons = ({ bands }, index) => bands.filter(({ first, last }) => first <= index && index <= last);

/** By how much a value differs from that of the period before; nothing where that is none. */
function change(now, then) {
  return now == null || !Number(then) ? "" : changed(Number(now) / Number(then) - 1);
}

/** A bucket in a sentence. */
function spoken(view, index) {
  const told = view.series.map((each, at) => {
    const past = view.before[at];
    return `${clean(each.label, 60)} ${valueAt(each, index)}${past ? `, before ${valueAt({ unit: each.unit, ...past }, index)}` : ""}`;
  });
  const odd = reasons(view, index).map(({ reason }) => `Unusual: ${clean(reason, 200)}`);
  return [`${view.names[index]}${isOpen(view, index) ? ", so far" : ""}: ${told.join("; ")}`, ...odd].join(". ");
}

function Tip({ tell, view }) {
  const [place, setPlace] = useState(null);
  const box = useRef(null);
  tell.current = setPlace;
  useLayoutEffect(() => {
    if (!place || !box.current) return;
    const isRight = place.left < place.room / 2;
    const { style } = box.current;
    style.maxWidth = `${Math.min(320, Math.max(170, (isRight ? place.room - place.left : place.left) - 14))}px`;
    style.left = `${Math.max(0, isRight ? place.left + 14 : place.left - 14 - box.current.offsetWidth)}px`;
  });
  if (!place || place.index >= view.size) return null;
  const { index } = place;
  return html`<div class="chart-tip" ref=${box} aria-hidden="true">
    <b>${view.names[index]}${isOpen(view, index) && html` <span class="quiet">so far</span>`}</b>
    ${view.series.map((each, at) => html`<${Line} key=${each.name} each=${each} past=${view.before[at]} index=${index} />`)}
    ${reasons(view, index).slice(0, 3).map((row, at) => html`<p key=${at} class="chart-odd">${clean(row.reason, 200)}</p>`)}
  </div>`;
}

function Line({ each, past, index }) {
  return html`<div class="chart-line">
    <i style=${{ background: `var(${each.colour || "--chart-1"})` }}></i><span>${clean(each.label, 60)}</span><b>${valueAt(each, index)}</b><em>${past && change(each.values[index], past.values[index])}</em>
    ${past && html`<i data-past="true"></i><span class="quiet">before</span><span class="quiet past">${valueAt({ unit: each.unit, ...past }, index)}</span>`}
  </div>`;
}

function Table({ view, title }) {
  const odd = view.bands.length > 0;
  const place = view.interval ? `Time${view.zone ? `, ${clean(view.zone, 60).replaceAll("_", " ")}` : ""}` : "";
  return html`<table class="table">
    <caption class="spoken">${title}</caption>
    <thead><tr><th scope="col">${place}</th>${view.series.map((each, at) => html`<th key=${each.name} scope="col" class="number">${clean(each.label, 60)}</th>${view.before[at] && html`<th scope="col" class="number">${clean(each.label, 60)}, before</th>`}`)}${odd && html`<th scope="col">Unusual</th>`}</tr></thead>
    <tbody>${view.names.map((name, index) => html`<tr key=${index}><th scope="row">${name}${isOpen(view, index) && ", so far"}</th>${view.series.map((each, at) => html`<td class="number">${valueAt(each, index)}</td>${view.before[at] && html`<td class="number">${valueAt({ unit: each.unit, ...view.before[at] }, index)}</td>`}`)}${odd && html`<td>${reasons(view, index).map(({ reason }) => clean(reason, 200)).join("; ")}</td>`}</tr>`)}</tbody>
  </table>`;
}

const WHOLES = ["all", "site"];

function Unusual({ view }) {
  if (!view.bands.length) return null;
  return html`<ul class="chart-unusual" aria-label="Unusual stretches">${view.bands.map((row, at) => html`<li key=${at}><time>${stretch(Date.parse(row.begins), Date.parse(row.ends), view.zone)}</time> ${row.value != null && !WHOLES.includes(row.what) && html`<b dir="auto">${clean(row.value, 80)}</b> `}${clean(row.reason, 300)}</li>`)}</ul>`;
}


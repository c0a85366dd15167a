// How a chart is drawn by uPlot: layers, scales, axes, and the stretches that are unusual. Buckets stand side by side by their number, so that months are as wide as each other and days of 23 hours are days.

import { ticks } from "./buckets.js";
import { figure } from "./format.js";

const WHOLE = [1, 2, 5].flatMap((digit) => Array.from({ length: 15 }, (_, zeros) => digit * 10 ** zeros)).sort((one, other) => one - other);
/** Room for half a label beside the plot. */
const EDGE = 20;
const LABEL = 78;
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });
const FINE = ["minute", "quarter", "hour", "day"];

/** The value of a colour token, as it is now. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A colour of six digits, see-through. */
const faded = (colour, share) => (/^#[0-9a-f]{6}$/i.test(colour) ? colour + Math.round(share * 255).toString(16).padStart(2, "0") : colour);

const numbers = (values, size) => Array.from({ length: size }, (_, at) => (values[at] == null ? null : Number(values[at])));
const only = (values, from, to) => values.map((value, at) => (at >= from && at < to ? value : null));

/**
 * What is drawn, from back to front: [{ values, spec }].
 *
 * A bucket that is not over yet is a layer of its own, dashed or hatched. Two series of bars stand side by side.
 */
export function layers({ series, before, open, size }) {
  const barred = series.filter(({ kind }) => kind === "bars");
  const past = before.map(({ values }) => ({ values: numbers(values, size), spec: line(token("--chart-before"), { dash: [5, 4], width: 1.5 }) }));
  return [...past, ...series.flatMap((each) => (each.kind === "bars" ? bars(each, barred, open, size) : lines(each, open, size)))];
}

function lines({ values, colour, kind }, open, size) {
  const stroke = token(colour || "--chart-1");
  const known = numbers(values, size);
  const fill = kind === "area" ? (share) => (plot) => shade(plot, stroke, share) : () => undefined;
  const closed = { values: open && size > 1 ? only(known, 0, size - 1) : known, spec: line(stroke, { fill: fill(0.24) }) };
  if (!open || size < 2) return [closed];
  return [closed, { values: only(known, size - 2, size), spec: line(stroke, { fill: fill(0.1), dash: [3, 4] }) }];
}

function line(stroke, more) {
  return { stroke, width: 2, points: { show: true, size: 5, width: 0, fill: stroke, filter: lonely }, ...more };
}

/** Values without neighbours: no line shows them. */
function lonely(plot, at) {
  const values = plot.data[at];
  return values.flatMap((value, index) => (value != null && values[index - 1] == null && values[index + 1] == null ? [index] : []));
}

function shade(plot, colour, share) {
  const { top, height } = plot.bbox;
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, faded(colour, share));
  gradient.addColorStop(1, faded(colour, share / 8));
  return gradient;
}

function bars(each, all, open, size) {
  const colour = token(each.colour || "--chart-1");
  const align = all.length === 2 ? [-1, 1][all.indexOf(each)] : 0;
  const known = numbers(each.values, size);
  const paths = uPlot.paths.bars({ size: [all.length === 2 ? 0.38 : 0.72, 40], radius: [0.16, 0], align });
  const spec = { stroke: colour, fill: colour, width: 0, points: { show: false }, paths };
  if (!open) return [{ values: known, spec }];
  return [{ values: only(known, 0, size - 1), spec }, { values: only(known, size - 1, size), spec: { ...spec, fill: (plot) => hatched(plot, colour) } }];
}

function hatched(plot, colour) {
  const tile = document.createElement("canvas");
  const side = 6 * devicePixelRatio;
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.fillStyle = faded(colour, 0.18);
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = colour;
  pen.lineWidth = side / 4;
  pen.beginPath();
  for (const shift of [-side, 0, side]) pen.moveTo(shift, side), pen.lineTo(shift + side, 0);
  pen.stroke();
  return plot.ctx.createPattern(tile, "repeat");
}

// --- axes ------------------------------------------------------------------------------------------

/** The options of uPlot for a view of the chart (see `chart.js`), its layers and what is called. */
export function options({ view, drawn, width, height, hooks, pickable }) {
  const isWhole = view.series.every(({ values }) => values.every((value) => value == null || Number.isInteger(Number(value))));
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const common = { stroke: token("--muted"), font, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, EDGE, 0, 0],
    legend: { show: false },
    focus: { prox: -1 },
    cursor: { y: false, move: snapped, drag: { x: pickable, y: false, setScale: false, dist: 4, click: () => null }, points: { size: (_, at) => (drawn[at - 1].spec.paths ? 0 : 8), width: 0 }, bind: { dblclick: () => null } },
    select: { show: pickable },
    scales: { x: { time: false, range: () => across(view) }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), top(high, isWhole)] } },
    series: [{}, ...drawn.map(({ spec }) => spec)],
    axes: [
      { ...common, ...named(view), grid: { show: false }, size: 28, gap: 8 },
      { ...common, ...(isWhole ? { incrs: WHOLE } : {}), grid: { stroke: token("--grid"), width: 1 }, space: 40, gap: 8, size: wide, values: (_, splits) => splits.map((value) => figure(value, view.series[0]?.unit, splits.at(-1) < 1e4 ? undefined : short.format)) },
    ],
    hooks: { ...hooks, drawClear: [(plot) => mark(plot, view.bands, view.interval)] },
  };
}

/** On the bucket that is meant, not between two. */
const snapped = (plot, left, up) => [left < 0 ? left : plot.valToPos(plot.posToIdx(left), "x"), up];

/** Bars stand within their place, lines go from edge to edge. */
function across({ size, series }) {
  return size < 2 || series.some(({ kind }) => kind === "bars") ? [-0.5, Math.max(size, 1) - 0.5] : [0, size - 1];
}

const top = (high, isWhole) => (high > 0 ? Math.max(high * 1.08, isWhole ? 4 : 0) : isWhole ? 4 : 1);

function named({ begins, words, interval, zone }) {
  let found = [];
  const splits = (plot) => {
    const room = plot.bbox.width / devicePixelRatio;
    plot.ctx.font = plot.axes[0].font[0];
    found = words ? spread(words, room) : ticks(begins, interval, zone, Math.max(2, Math.floor(room / LABEL)));
    found = found.filter(({ at, text }) => fits(plot, plot.valToPos(at, "x"), plot.ctx.measureText(text).width / devicePixelRatio / 2));
    return found.map(({ at }) => at);
  };
  return { splits, values: () => found.map(({ text }) => text) };
}

/** Whether a label around a place, so far to either side, is not cut off by the edges of the paper. */
const fits = (plot, place, half) => place + plot.bbox.left / devicePixelRatio >= half && half <= plot.bbox.width / devicePixelRatio - place + EDGE;

function spread(words, room) {
  const step = Math.max(1, Math.ceil(words.length / Math.max(2, Math.floor(room / (LABEL * 1.4)))));
  return words.flatMap((word, at) => (at % step ? [] : [{ at, text: word.length > 16 ? `${word.slice(0, 15)}…` : word }]));
}

/** As wide as the longest label. */
function wide(plot, values, at, cycle) {
  const axis = plot.axes[at];
  if (cycle > 1) return axis._size;
  plot.ctx.font = axis.font[0];
  const longest = Math.max(0, ...(values ?? []).map((text) => plot.ctx.measureText(text).width));
  return Math.ceil(longest / devicePixelRatio) + axis.gap + 2;
}

// --- what is unusual -------------------------------------------------------------------------------

/**
 * The stretches within the buckets: [{ first, last, ...row }] by their indices, in the order given.
 * `until` (ms) is when the last bucket ends; where it is not known, what begins behind it is its own.
 */
export function bandsOf(unusual, begins, until) {
  return unusual.flatMap((row) => {
    const [from, to] = [Date.parse(row.begins), Date.parse(row.ends)];
    if (!begins.length || !(to > begins[0]) || !(from < (until || Infinity))) return [];
    const first = Math.max(0, begins.findLastIndex((begin) => begin <= from));
    return [{ ...row, first, last: Math.max(first, begins.findLastIndex((begin) => begin < to)) }];
  });
}

/** Marked across the plot; where a bucket is longer than a day, only at its top: most of it is as usual. */
function mark(plot, bands, interval) {
  const { left, top: up, width, height } = plot.bbox;
  const place = (at) => Math.min(left + width, Math.max(left, plot.valToPos(at, "x", true)));
  for (const { first, last } of bands) {
    const [from, to] = [place(first - 0.5), place(last + 0.5)];
    const wider = Math.max(0, 3 * devicePixelRatio - (to - from)) / 2;
    plot.ctx.fillStyle = faded(token("--warn"), 0.11);
    if (FINE.includes(interval)) plot.ctx.fillRect(from - wider, up, to - from + 2 * wider, height);
    plot.ctx.fillStyle = token("--warn");
    plot.ctx.fillRect(from - wider, up - 3 * devicePixelRatio, to - from + 2 * wider, 3 * devicePixelRatio);
  }
}

// A chart over time: two bars an hour, side by side, since visitors are no part of views. Drawn by uPlot, told as a table to screen readers.

import { failure, h } from "./dom.js";
import { count, dayAndHour, hourTime } from "./format.js";

const HEIGHT = 176;
const SERIES = [
  { name: "visitors", column: "daily_visitors", label: "Visitors", colour: "--visitors", align: -1 },
  { name: "views", column: "views", label: "Page views", colour: "--views", align: 1 },
];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function bars(series) {
  const fill = colour(series.colour);
  return { label: series.label, stroke: fill, fill, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.36, 22], radius: [0.2, 0], align: series.align }) };
}

function axis(extra) {
  return { stroke: colour("--muted"), font: `12px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false }, ...extra };
}

function options(width, step, tip) {
  return {
    width,
    height: HEIGHT,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { range: (_, low, high) => [low - step / 2, high + step / 2] }, y: { range: (_, __, high) => [0, Math.max(4, high * 1.08)] } },
    series: [{}, ...SERIES.map(bars)],
    axes: [
      axis({ grid: { show: false }, space: 64, size: 28, gap: 6, values: (_, splits) => splits.map((at) => hourTime(at * 1000)) }),
      axis({ grid: { stroke: colour("--grid"), width: 1 }, space: 34, size: 52, gap: 8, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7], values: (_, splits) => splits.map(count) }),
    ],
    hooks: { setCursor: [tip] },
  };
}

function legend(series) {
  return h("span", { class: `key key-${series.name}` }, series.label);
}

/** A panel with the chart; returns it, a function that shows new rows, and one that says why there are none. */
export function lines(chart) {
  const area = h("div", { class: "plot", "aria-hidden": "true" });
  const tooltip = h("div", { class: "tip", hidden: true });
  const body = h("tbody");
  const table = h("table", { class: "spoken" }, h("caption", {}, chart.help), h("thead", {}, h("tr", {}, h("th", {}, "Hour"), ...SERIES.map((s) => h("th", {}, s.label)))), body);
  const failed = failure();
  const panel = h(
    "figure",
    { class: "lines", title: chart.help },
    h("figcaption", {}, h("h2", {}, chart.title), h("span", { class: "keys" }, ...SERIES.map(legend))),
    failed.line,
    h("div", { class: "plot-box" }, area, tooltip),
    table,
  );
  let plot = null;
  let rows = [];

  function tip(u) {
    const row = rows[u.cursor.idx];
    tooltip.hidden = u.cursor.left < 0 || !row;
    if (tooltip.hidden) return;
    tooltip.replaceChildren(h("b", {}, dayAndHour(new Date(row.bucket))), ...SERIES.map((s) => h("span", { class: `key key-${s.name}` }, `${s.label} `, h("i", {}, count(row[s.column] ?? 0)))));
    const left = u.valToPos(u.data[0][u.cursor.idx], "x") + u.over.offsetLeft;
    tooltip.style.left = `${Math.min(Math.max(left - tooltip.offsetWidth / 2, 0), area.clientWidth - tooltip.offsetWidth)}px`;
  }

  function columns() {
    return [rows.map((row) => Date.parse(row.bucket) / 1000), ...SERIES.map((s) => rows.map((row) => row[s.column]))];
  }

  /** Without its library the chart is its table, in sight of all. */
  function undrawn() {
    area.parentElement.hidden = true;
    table.classList.replace("spoken", "plain");
  }

  function draw() {
    plot?.destroy();
    plot = null;
    if (typeof uPlot === "undefined") return undrawn();
    const data = columns();
    if (data[0].length && area.clientWidth) plot = new uPlot(options(area.clientWidth, data[0][1] - data[0][0] || 3600, tip), data, area);
  }

  function speak() {
    const cells = rows.map((row) => [dayAndHour(new Date(row.bucket)), ...SERIES.map((s) => count(row[s.column] ?? 0))]);
    body.replaceChildren(...cells.map((line) => h("tr", {}, ...line.map((text) => h("td", {}, text)))));
  }

  new ResizeObserver(() => (plot ? plot.setSize({ width: area.clientWidth, height: HEIGHT }) : draw())).observe(area);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return {
    panel,
    fail: failed.say,
    /** Shows the buckets that begin in the period: the first one may reach out of it. */
    show(answer) {
      failed.say(null);
      const fresh = answer.rows.filter((row) => Date.parse(row.bucket) >= Date.parse(answer.from));
      const same = rows.length === fresh.length;
      rows = fresh;
      if (plot && same) plot.setData(columns());
      else draw();
      speak();
    },
  };
}

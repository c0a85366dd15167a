// A line as small as a word: how something went, without axes or numbers.

import { html } from "./ui.js";

const WIDTH = 96;
const HEIGHT = 28;
const EDGE = 2;

/** Points of a line, in pieces where values are missing: [[x, y], ...] each. */
function pieces(values) {
  const most = Math.max(0, ...values.map((value) => Number(value) || 0)) || 1;
  const step = (WIDTH - 2 * EDGE) / Math.max(1, values.length - 1);
  const place = (value, at) => [EDGE + at * step, HEIGHT - EDGE - (Math.max(0, Number(value)) / most) * (HEIGHT - 2 * EDGE)];
  const found = [[]];
  values.forEach((value, at) => (value == null || !Number.isFinite(Number(value)) ? found.push([]) : found.at(-1).push(place(value, at))));
  return found.filter((piece) => piece.length);
}

const text = (points) => points.map((point) => point.map((each) => each.toFixed(1)).join(",")).join(" ");

/** The line of `values` (null: a gap), from zero up; `label` says in words what it shows, without one it is decoration. */
export function Spark({ values = [], label, colour = "--chart-1", width = WIDTH, height = HEIGHT }) {
  const found = pieces(values);
  const end = found.at(-1)?.at(-1);
  const ink = `var(${colour})`;
  return html`<svg class="spark" width=${width} height=${height} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role=${label ? "img" : undefined} aria-label=${label || undefined} aria-hidden=${label ? undefined : "true"}>
    ${found.map((points, at) => html`<g key=${at}>
      <polygon points=${text([[points[0][0], HEIGHT], ...points, [points.at(-1)[0], HEIGHT]])} style=${{ fill: ink, opacity: 0.14 }}></polygon>
      <polyline points=${text(points)} style=${{ fill: "none", stroke: ink, strokeWidth: 1.5, strokeLinejoin: "round", strokeLinecap: "round" }}></polyline>
    </g>`)}
    ${end && html`<circle cx=${end[0]} cy=${end[1]} r="2" style=${{ fill: ink }}></circle>`}
  </svg>`;
}

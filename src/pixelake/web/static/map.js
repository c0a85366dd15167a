// A map of the world, coloured by how many; loaded when it is shown. The arrow keys walk through its countries; the list beside it has the same.
// The page links map.css.

import "./vendor/topojson-client-3.1.0/topojson-client.min.js";
import { explain } from "./api.js";
import { compact, count, country } from "./format.js";
import { SMALL } from "./small.js";
import { Failure, clean, html, useEffect, useMemo, useRef, useState } from "./ui.js";

const WIDTH = 960;
const GLOW_MS = 2000;
/** Degrees east of the middle: the edge falls into the Bering Strait, and cuts no country. */
const MIDDLE = 11;
const NORTH = 84;
const SOUTH = -56;
const ANTARCTICA = "AQ";
/** Without a code in ISO 3166; those who place addresses count them so. */
const CODELESS = { Kosovo: "XK", "N. Cyprus": "CY", Somaliland: "SO" };

/**
 * The map, as large as its place lets it be.
 *
 * rows: [{ value: "DE", count }]; what is no country of the map is told below it. label: what is counted, a plural.
 * onPick(code): a country was clicked, or chosen by Enter. lit: Map of code -> ms when it was last hit: it glows for two seconds.
 */
export function WorldMap({ rows, label = "Hits", onPick, lit }) {
  const [land, setLand] = useState(kept);
  const [fault, setFault] = useState("");
  const look = () => world().then((found) => (setLand(found), setFault("")), (error) => setFault(explain(error)));
  useEffect(() => void (land || look()), []);
  const counts = useMemo(() => new Map(rows.filter(({ value, count: hits }) => value && Number(hits) > 0).map(({ value, count: hits }) => [String(value), Number(hits)])), [rows]);
  return html`<div class="world">
    <${Failure} text=${fault} again=${look} />
    ${land ? html`<${Land} land=${land} counts=${counts} label=${label} onPick=${onPick} lit=${lit} />` : !fault && html`<div class="world-wait" aria-hidden="true"></div>`}
    <${Legend} counts=${counts} rows=${rows} land=${land} />
  </div>`;
}

// --- the land --------------------------------------------------------------------------------------

let kept = null;
let coming = null;

/** Paths of all countries: { paths: [{ code, path }], dots: Map of code -> [x, y], height, codes }; fetched once. */
function world() {
  coming ??= Promise.all([fetched("world-atlas-2.0.2/countries-110m.json"), fetched("i18n-iso-countries-7.14.0/codes.json")])
    .then(([atlas, codes]) => (kept = drawn(atlas, new Map(codes.map(([code, , number]) => [number, code])))))
    .catch((error) => ((coming = null), Promise.reject(error)));
  return coming;
}

async function fetched(path) {
  const answer = await fetch(new URL(`./vendor/${path}`, import.meta.url));
  if (!answer.ok) throw new TypeError(`${path}: ${answer.status}`);
  return answer.json();
}

function drawn(atlas, codes) {
  const { features } = topojson.feature(atlas, atlas.objects.countries);
  const countries = features.map(({ id, properties, geometry }) => ({ code: codes.get(id) ?? CODELESS[properties.name] ?? "", geometry })).filter(({ code }) => code !== ANTARCTICA);
  const paths = countries.map(({ code, geometry }) => ({ code, path: pathOf(geometry) }));
  const dots = new Map(Object.entries(SMALL).map(([code, [longitude, latitude]]) => [code, project(longitude, latitude)]));
  return { paths, dots, codes: new Set([...paths.map(({ code }) => code), ...dots.keys()]) };
}

const RADIANS = Math.PI / 180;
const [A1, A2, A3, A4] = [1.340264, -0.081106, 0.000893, 0.003796];

/**
 * Equal Earth, in units of the earth's radius: areas are true to each other.
 * B. Šavrič, T. Patterson, B. Jenny (2018): The Equal Earth map projection. Int. J. of Geographical Information Science 33 (3), equations 9 and 10.
 */
export function equalEarth(longitude, latitude) {
  const parameter = Math.asin((Math.sqrt(3) / 2) * Math.sin(latitude * RADIANS));
  const square = parameter * parameter;
  const sixth = square * square * square;
  const slope = A1 + 3 * A2 * square + sixth * (7 * A3 + 9 * A4 * square);
  return [(2 * Math.sqrt(3) * longitude * RADIANS * Math.cos(parameter)) / (3 * slope), parameter * (A1 + A2 * square + sixth * (A3 + A4 * square))];
}

const SCALE = WIDTH / (2 * equalEarth(180, 0)[0]);
const TOP = equalEarth(0, NORTH)[1];
const HEIGHT = Math.round((TOP - equalEarth(0, SOUTH)[1]) * SCALE);

/** Where a place is on the map. */
function project(longitude, latitude) {
  const [x, y] = equalEarth(longitude - MIDDLE, latitude);
  return [WIDTH / 2 + x * SCALE, (TOP - y) * SCALE];
}

function pathOf({ type, coordinates }) {
  const rings = type === "Polygon" ? coordinates : coordinates.flat();
  return rings.map((ring) => `M${whole(ring).map(([longitude, latitude]) => project(longitude, latitude).map((each) => each.toFixed(1))).join("L")}Z`).join("");
}

/** A ring in one piece, where the map has it: one across the date line goes on behind it. */
function whole(ring) {
  let turns = 0;
  const going = ring.map(([longitude, latitude], at) => {
    if (at) turns -= 360 * Math.round((longitude - ring[at - 1][0]) / 360);
    return [longitude + turns, latitude];
  });
  const middle = going.reduce((sum, [longitude]) => sum + longitude, 0) / going.length;
  const shift = 360 * Math.round((MIDDLE - middle) / 360);
  return going.map(([longitude, latitude]) => [longitude + shift, latitude]);
}

// --- colours and pointing --------------------------------------------------------------------------

/** How strong the colour is, 0 to 1: by the cube root, so that small countries are seen beside the first, and the first beside the second. */
const strength = (hits, most) => Math.cbrt(hits / most);

const colour = (hits, most) => (hits ? `color-mix(in oklab, var(--map-high) ${Math.round(100 * strength(hits, most))}%, var(--map-low))` : "var(--map-none)");

function Land({ land, counts, label, onPick, lit }) {
  const [over, setOver] = useState(null);
  const box = useRef(null);
  const most = Math.max(0, ...counts.values());
  const point = (event) => {
    const code = event.target.dataset?.code;
    const { left, top, width } = box.current.getBoundingClientRect();
    setOver(code ? { code, x: event.clientX - left, y: event.clientY - top, width } : null);
  };
  const click = (event) => event.target.dataset?.code && counts.has(event.target.dataset.code) && onPick?.(event.target.dataset.code);
  const order = useMemo(() => [...counts.keys()].filter((code) => land.codes.has(code)).sort((one, other) => counts.get(other) - counts.get(one)), [land, counts]);
  const show = (code) => setOver(code && { code, ...middle(box.current, code) });
  const walked = onPick && order.length ? walking({ order, at: order.indexOf(over?.code), show, pick: onPick, told: (code) => `${clean(country(code), 60)}: ${count(counts.get(code))} ${label.toLowerCase()}`, label }) : {};
  const shapes = useMemo(() => html`<${Shapes} land=${land} counts=${counts} most=${most} />`, [land, counts]);
  return html`<div class="world-box" ref=${box} data-pick=${String(Boolean(onPick))} onPointerMove=${point} onPointerLeave=${() => setOver(null)} onClick=${onPick && click} ...${walked}>
    <svg class="world-map" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${`Map of ${label.toLowerCase()} by country; the list has the same`}>
      ${shapes}
      <${Outline} land=${land} code=${over?.code} />
      <${Glow} land=${land} lit=${lit} />
    </svg>
    ${over && html`<${Tip} over=${over} hits=${counts.get(over.code)} label=${label} />`}
  </div>`;
}

/** Where a country is drawn, in the map's box. */
function middle(box, code) {
  const frame = box.getBoundingClientRect();
  const { left, top, width, height } = box.querySelector(`[data-code="${code}"]`).getBoundingClientRect();
  return { x: left + width / 2 - frame.left, y: top + height / 2 - frame.top, width: frame.width };
}

/** What makes the map a stop of the Tab key: arrows walk from the most to the fewest, Enter picks, Escape leaves. */
function walking({ order, at, show, pick, told, label }) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const onKeyDown = (key) => {
    if (key.ctrlKey || key.altKey || key.metaKey) return;
    if (key.key in steps) show(order[Math.max(0, Math.min(order.length - 1, at + steps[key.key]))]);
    else if (key.key === "Enter" && at >= 0) pick(order[at]);
    else if (key.key === "Escape" && at >= 0) show(null);
    else return;
    key.preventDefault();
    key.stopPropagation();
  };
  const now = Math.max(0, at);
  return {
    tabindex: 0, role: "slider", "aria-label": `${label} by country: walk with the arrow keys; Enter filters by one`,
    "aria-valuemin": 1, "aria-valuemax": order.length, "aria-valuenow": now + 1, "aria-valuetext": told(order[now]), onKeyDown, onBlur: () => show(null),
  };
}

function Shapes({ land, counts, most }) {
  const dots = [...counts].filter(([code]) => land.dots.has(code));
  return html`<g class="world-land">${land.paths.map(({ code, path }, at) => html`<path key=${at} d=${path} data-code=${code} data-hits=${counts.get(code)} style=${{ fill: colour(counts.get(code), most) }}></path>`)}</g>
    <g class="world-dots">${dots.map(([code, hits]) => html`<circle key=${code} cx=${land.dots.get(code)[0]} cy=${land.dots.get(code)[1]} r="4.5" data-code=${code} data-hits=${hits} style=${{ fill: colour(hits, most) }}></circle>`)}</g>`;
}

function Outline({ land, code }) {
  return html`<g class="world-outline">${land.paths.filter((each) => code && each.code === code).map(({ path }, at) => html`<path key=${at} d=${path}></path>`)}</g>`;
}

/** What was just hit; gone by itself after two seconds, and not there where motion is unwanted. */
function Glow({ land, lit }) {
  const since = Date.now() - GLOW_MS;
  const codes = [...(lit ?? [])].filter(([code, at]) => at > since && land.codes.has(code));
  return html`<g class="world-glow">${codes.map(([code, at]) => {
    const dot = land.dots.get(code);
    return dot
      ? html`<circle key=${`${code} ${at}`} data-lit=${code} cx=${dot[0]} cy=${dot[1]} r="7"></circle>`
      : html`<path key=${`${code} ${at}`} data-lit=${code} d=${land.paths.filter((each) => each.code === code).map(({ path }) => path).join("")}></path>`;
  })}</g>`;
}

function Tip({ over, hits, label }) {
  const right = over.x > over.width / 2;
  const place = right ? { right: `${over.width - over.x + 12}px` } : { left: `${over.x + 12}px` };
  return html`<div class="world-tip" aria-hidden="true" style=${{ top: `${over.y + 12}px`, left: "auto", right: "auto", ...place }}><b>${clean(country(over.code), 60)}</b> ${hits ? count(hits) : "none"} <span class="quiet">${label.toLowerCase()}</span></div>`;
}

/** What the colours mean, and how many are on no map. */
function Legend({ counts, rows, land }) {
  const most = Math.max(0, ...counts.values());
  const away = rows.filter(({ value }) => land && !land.codes.has(value)).reduce((sum, { count: hits }) => sum + (Number(hits) || 0), 0);
  return html`<p class="world-legend">
    ${most > 0 ? html`<span>1</span><i aria-hidden="true"></i>${most >= 16 && html`<span>${compact(Math.round(most / 8))}</span><i aria-hidden="true" data-half="upper"></i>`}<span>${compact(most)}</span>` : html`<span>No country is known yet.</span>`}
    ${away > 0 && html`<span class="world-away">${compact(away)} elsewhere or unknown</span>`}
  </p>`;
}

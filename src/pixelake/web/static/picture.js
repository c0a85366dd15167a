// A chart or a map as a picture (PNG): title, notes, what the colours mean, and where it comes from. Drawn on a canvas, from what the page shows now.

import { clean, saveFile } from "./ui.js";

const PAD = 28;
const FINE = 2;
const LEAST = 320;
const SOURCE = "pixelake";
const KEPT = ["fill", "stroke", "stroke-width", "opacity", "vector-effect", "stroke-linejoin", "stroke-linecap"];
const MOST_NAME = 80;
/** Names that Windows keeps for itself. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/** A name that any file system takes, with `.png` at its end. */
export function fileName(name) {
  const bare = String(name).replace(/\.png$/i, "").normalize("NFKC");
  const safe = Array.from(bare.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/\.{2,}/g, ".")).slice(0, MOST_NAME).join("").replace(/^[-.]+|[-.]+$/g, "");
  return `${!safe || RESERVED.test(safe) ? `pixelake-${safe || "picture"}` : safe}.png`;
}

/**
 * Saves a picture, and returns it as a Blob.
 *
 * shown: an element with a chart or map in it, its canvas or svg, or { canvas } or { svg }.
 * title: a line. notes: further lines below it: site, period, filters. name: of the file, made safe.
 * Throws Error where there is nothing to draw.
 */
export async function savePicture(shown, title, notes = "", name = title) {
  const picture = await pictured(shown, title, notes);
  const blob = await new Promise((done) => picture.toBlob(done, "image/png"));
  if (!blob) throw new Error("The picture is too large for this browser");
  saveFile(blob, fileName(name));
  return blob;
}

async function pictured(shown, title, notes) {
  const part = partOf(shown);
  const drawn = part instanceof HTMLCanvasElement ? part : await image(part);
  const { width, height } = part.getBoundingClientRect();
  const lines = [notes].flat().flatMap((note) => String(note).split("\n")).filter((note) => note.trim());
  const [keys, steps] = [keysOf(part), stepsOf(part)];
  const headed = PAD + 26 + 20 * lines.length + (keys.length || steps.length ? 30 : 8);
  // A chart is copied dot by dot: drawn larger it would be blurred.
  const dots = part instanceof HTMLCanvasElement ? part.width / width : FINE;
  const [canvas, pen] = sheet(Math.max(width, LEAST) + 2 * PAD, headed + height + 20 + PAD, dots);
  head(pen, clean(title, 200), lines.map((line) => clean(line, 300)), Math.max(width, LEAST));
  legend(pen, keys, headed - 16);
  scale(pen, steps, headed - 16);
  pen.drawImage(drawn, PAD, headed, width, height);
  write(pen, `${SOURCE} · ${new Date().toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`, PAD, headed + height + 26, { colour: "--muted", size: 12 });
  return canvas;
}

function partOf(shown) {
  const given = shown?.canvas ?? shown?.svg ?? shown;
  const found = given?.matches?.("canvas, svg") ? given : given?.querySelector?.(".uplot canvas, svg.world-map, canvas, svg");
  if (!found) throw new Error("There is no chart to save: it has not been drawn yet");
  return found;
}

// --- the sheet -------------------------------------------------------------------------------------

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function sheet(width, height, dots) {
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.ceil(width * dots), height: Math.ceil(height * dots) });
  const pen = canvas.getContext("2d");
  pen.scale(dots, dots);
  pen.fillStyle = token("--card");
  pen.fillRect(0, 0, width, height);
  return [canvas, pen];
}

function write(pen, text, x, y, { colour = "--text", size = 13, weight = 400, most = Infinity } = {}) {
  pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillStyle = token(colour);
  let cut = text;
  while (cut.length > 1 && pen.measureText(cut).width > most) cut = `${Array.from(cut).slice(0, -2).join("")}…`;
  pen.fillText(cut, x, y);
  return pen.measureText(cut).width;
}

function head(pen, title, lines, most) {
  write(pen, title, PAD, PAD + 14, { size: 18, weight: 650, most });
  lines.forEach((line, at) => write(pen, line, PAD, PAD + 38 + 20 * at, { colour: "--muted", most }));
}

/** What the colours of a chart mean: [{ text, colour, dashed }]. */
function keysOf(part) {
  const keys = part.closest(".chart")?.querySelectorAll("[data-key]") ?? [];
  return [...keys].map((key) => ({ text: key.textContent.trim(), colour: key.dataset.key, dashed: key.dataset.kind === "before" }));
}

function legend(pen, keys, y) {
  let x = PAD;
  for (const { text, colour, dashed } of keys) {
    pen.strokeStyle = token(colour);
    pen.lineWidth = 3;
    pen.setLineDash(dashed ? [4, 3] : []);
    pen.beginPath();
    pen.moveTo(x, y - 4);
    pen.lineTo(x + 16, y - 4);
    pen.stroke();
    x += 22 + write(pen, text, x + 22, y, { colour: "--muted" }) + 18;
  }
}

/** What the colours of a map mean: numbers, and null for the colours between two of them. */
function stepsOf(part) {
  const steps = [...(part.closest(".world")?.querySelectorAll(".world-legend > :is(i, span:not(.world-away))") ?? [])].map((step) => (step.tagName === "I" ? null : step.textContent));
  return steps.includes(null) ? steps : [];
}

function scale(pen, steps, y) {
  const [low, high] = ["--map-low", "--map-high"].map(token);
  const bars = steps.filter((step) => step === null).length;
  let [x, bar] = [PAD, 0];
  for (const step of steps) {
    if (step !== null) x += write(pen, step, x, y, { colour: "--muted", size: 12 }) + 6;
    else {
      const colours = pen.createLinearGradient(x, 0, x + 44, 0);
      [bar, bar + 1].forEach((at, end) => colours.addColorStop(end, plain(`color-mix(in oklab, ${high} ${(100 * at) / bars}%, ${low})`)));
      pen.fillStyle = colours;
      pen.fillRect(x, y - 9, 44, 9);
      [x, bar] = [x + 50, bar + 1];
    }
  }
}

// --- drawings --------------------------------------------------------------------------------------

/** An svg as an image, in the colours that it has now. A data: address: the page's policy allows no other. */
async function image(svg) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.getBoundingClientRect();
  const [from, to] = [svg, copy].map((each) => [...each.querySelectorAll("path, circle, polyline, polygon, line, rect, text")]);
  from.forEach((each, at) => colourIn(each, to[at]));
  for (const glow of copy.querySelectorAll(".world-glow, .world-outline")) glow.remove();
  const sized = { width: width * FINE, height: height * FINE, xmlns: "http://www.w3.org/2000/svg" };
  for (const [name, value] of Object.entries(sized)) copy.setAttribute(name, value);
  const drawn = new Image();
  drawn.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await drawn.decode();
  return drawn;
}

function colourIn(shown, copy) {
  const style = getComputedStyle(shown);
  copy.removeAttribute("style");
  copy.removeAttribute("class");
  for (const name of KEPT) copy.setAttribute(name, name === "fill" || name === "stroke" ? plain(style[name]) : style.getPropertyValue(name));
}

const known = new Map();
let drop = null;

/** Any colour as rgb(): those that CSS mixes are not known to all who show pictures. */
function plain(colour) {
  if (colour === "none" || /^rgba?\(/.test(colour)) return colour;
  if (known.size > 1000) known.clear();
  if (!known.has(colour)) {
    drop ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    drop.clearRect(0, 0, 1, 1);
    drop.fillStyle = colour;
    drop.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = drop.getImageData(0, 0, 1, 1).data;
    known.set(colour, `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`);
  }
  return known.get(colour);
}

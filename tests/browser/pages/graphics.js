// Draws one graphic with what a test hands it, and keeps what it calls back.

import { html, render } from "/static/ui.js";
import { Chart } from "/static/chart.js";
import { WorldMap, equalEarth } from "/static/map.js";
import { fileName, savePicture } from "/static/picture.js";
import { Spark } from "/static/sparks.js";

const KINDS = { Chart, WorldMap, Spark };

/** Draws a graphic; `picks` are kept in `window.picked`. A Map comes as its entries, as seconds ago. */
function show(kind, given, picks = true) {
  window.picked = [];
  const lit = given.lit && new Map(given.lit.map(([code, ago]) => [code, Date.now() - ago * 1000]));
  const more = { ...(lit ? { lit } : {}), ...(picks ? { onPick: (...what) => window.picked.push(what) } : {}) };
  const place = document.getElementById("place");
  place.className = kind === "WorldMap" ? "map" : "";
  render(html`<${KINDS[kind]} ...${given} ...${more} />`, place);
}

Object.assign(window, { show, equalEarth, fileName, savePicture });
document.documentElement.dataset.ready = "true";

// The page: asks, listens, and hands what comes to the panels.

import { get, listen, Refused } from "./api.js";
import { clean, h, setText } from "./dom.js";
import { events } from "./events.js";
import { figures } from "./figures.js";
import { zone } from "./format.js";
import { lines } from "./lines.js";
import { list } from "./lists.js";
import { trust } from "./trust.js";

const ROWS = 30;
const TOP = 6; // rows of a top list
const SOON = 300; // ms after an event: the first look at the lake
const SETTLED = 6500; // ms after it: by then the lake has it (its window is 5 s)
const GAP = 4000; // ms between two looks at the lake
const IDLE = 30000; // ms: the 24 hours move on also when nothing happens

const $ = (id) => document.getElementById(id);
const state = { site: new URL(location).searchParams.get("site") ?? "", cursor: 0, paused: false, held: [], empty: false, source: null, asked: 0, generation: 0 };
const view = {};

// --- what is shown ---------------------------------------------------------------------------------

const STATES = { live: "Live", paused: "Paused", waiting: "Connecting", lost: "Reconnecting" };

function showLive(name) {
  const state_ = state.paused ? "paused" : name;
  $("live").dataset.state = state_;
  $("live").dataset.under = name;
  $("live").setAttribute("aria-pressed", String(state.paused));
  $("live").title = state.paused ? "Go on" : "Hold the page still";
  setText($("live-text"), state.paused && state.held.length ? `Paused, ${state.held.length} new` : STATES[state_]);
}

function showTrouble(error) {
  const box = $("trouble");
  box.hidden = error == null;
  if (error == null) return;
  const hint = error instanceof Refused && error.status === 401 ? "Open the address that `pixelake serve` prints once more." : (error.hint ?? "");
  setText(box, error instanceof Refused ? clean(`${error.message}. ${hint}`) : "The dashboard's server does not answer. Trying again.");
}

function showEmpty(empty) {
  state.empty = empty;
  $("empty").hidden = !empty;
  for (const element of [$("board"), $("lists"), $("events")]) element.hidden = empty;
}

function showSites(names) {
  const all = new Set([...names, ...(state.site ? [state.site] : [])]);
  if (all.size === $("site").options.length - 1) return;
  const options = [...all].sort().map((name) => h("option", { value: name }, clean(name, 80)));
  $("site").replaceChildren(h("option", { value: "" }, "All sites"), ...options);
  $("site").value = state.site;
}

function showNow(now) {
  view.figures("now", now);
  document.title = now.visitors_now ? `${now.visitors_now} now · pixelake` : "pixelake";
}

// --- the lake: asked when something happened --------------------------------------------------------

async function ask() {
  const { generation, site } = state;
  state.asked = performance.now();
  try {
    const answers = await Promise.all(view.questions.map((question) => get(question, { site, limit: TOP })));
    if (generation !== state.generation || state.paused) return;
    for (const answer of answers) view.show(answer);
    showTrouble(null);
  } catch (error) {
    showTrouble(error);
  }
}

function askIn(delay) {
  const wait = Math.max(delay, state.asked + GAP - performance.now());
  const due = performance.now() + wait;
  if (state.due && state.due <= due + 50 && state.due > performance.now()) return;
  clearTimeout(state.timer);
  state.due = due;
  state.timer = setTimeout(async () => {
    state.due = 0;
    if (!document.hidden && !state.paused) await ask();
    askIn(state.settle > performance.now() ? state.settle - performance.now() : IDLE);
  }, wait);
}

// --- live -------------------------------------------------------------------------------------------

function take(fresh, cursor) {
  state.cursor = Number(cursor);
  if (state.paused) {
    state.held = [...state.held, ...fresh].slice(-ROWS);
    showLive("live");
    return;
  }
  if (state.empty) {
    showEmpty(false);
    setText($("spoken"), "The first hit has arrived.");
  }
  view.events.add(fresh);
  if (fresh.some((event) => ![...$("site").options].some((option) => option.value === event.site))) get("sites").then(showSites, showTrouble);
  state.settle = performance.now() + SETTLED;
  askIn(SOON);
}

function connect() {
  state.source?.close();
  state.source = listen(
    { site: state.site, after: state.cursor },
    {
      events: take,
      now: (now) => state.paused || showNow(now),
      status: view.trust,
      open: () => {
        showLive("live");
        showTrouble(null);
      },
      lost: (closed) => {
        showLive("lost");
        // A refusal ends the stream for good; the next look at the API says why.
        if (closed) setTimeout(() => get("about").then(connect, (error) => (showTrouble(error), connect())), 2000);
      },
    },
  );
}

async function open() {
  const generation = ++state.generation;
  const { site } = state;
  const [newest, sites, now, status] = await Promise.all([get("newest", { site, limit: ROWS }), get("sites"), get("now", { site }), get("status")]);
  if (generation !== state.generation) return;
  state.cursor = newest[0]?.cursor ?? state.cursor;
  showSites(sites);
  showNow(now);
  view.trust(status);
  view.events.clear();
  view.events.add(newest.reverse(), true);
  document.body.classList.toggle("one-site", site !== "");
  showEmpty(newest.length === 0 && !site && status.outcomes === 0);
  $("main").setAttribute("aria-busy", "false");
  connect();
  await ask();
  askIn(IDLE);
}

/** Until it works: a server that is starting, or is away for a moment. */
async function openSurely() {
  try {
    await open();
  } catch (error) {
    showTrouble(error);
    setTimeout(openSurely, 2000);
  }
}

// --- what people do -----------------------------------------------------------------------------------

function pick(site) {
  state.site = site;
  state.cursor = 0;
  state.held = [];
  history.replaceState(null, "", site ? `/?${new URLSearchParams({ site })}` : "/");
  openSurely();
}

function pause() {
  state.paused = !state.paused;
  const held = state.held;
  state.held = [];
  showLive($("live").dataset.under ?? "live");
  setText($("spoken"), state.paused ? "Paused." : "Live again.");
  if (state.paused) return;
  if (held.length) take(held, state.cursor);
  else askIn(0);
}

async function copy() {
  await navigator.clipboard?.writeText($("snippet").textContent);
  setText($("copy"), navigator.clipboard ? "Copied" : "Select it by hand");
}

// Browsers allow six connections to a host: pages that nobody sees must not use them up.
function seen() {
  if (document.hidden) {
    state.source?.close();
    state.source = null;
  } else if (!state.source && view.trust) {
    connect();
    askIn(0);
  }
}

async function start() {
  const [charts, about] = await Promise.all([get("charts"), get("about")]);
  const of = (...kinds) => charts.filter((chart) => kinds.includes(chart.kind));
  const panels = new Map([...of("line").map((chart) => [chart.question, lines(chart)]), ...of("list").map((chart) => [chart.question, list(chart)])]);
  view.figures = figures($("figures"), of("figure", "share"));
  view.questions = [...new Set(charts.map((chart) => chart.question).filter((question) => question !== "now"))];
  view.show = (answer) => {
    if (panels.has(answer.question)) panels.get(answer.question).show(answer);
    else view.figures(answer.question, answer.rows[0] ?? {});
  };
  view.events = events($("rows"), $("no-rows"));
  view.trust = trust({ sums: $("sums"), mark: $("trust-mark"), text: $("trust-text"), delay: $("delay") });
  $("lines").replaceChildren(...of("line").map((chart) => panels.get(chart.question).panel));
  $("lists").replaceChildren(...of("list").map((chart) => panels.get(chart.question).panel));
  $("meaning").replaceChildren(...charts.flatMap((chart) => [h("dt", {}, chart.title), h("dd", {}, chart.help)]));
  setText($("snippet"), about.snippet);
  setText($("try"), `curl '${about.collect_url}/pixel.gif?site=example.com&url=https://example.com/hello&title=Hello'`);
  setText($("zone"), `Times in ${zone}`);
  $("site").addEventListener("change", (change) => pick(change.target.value));
  $("live").addEventListener("click", pause);
  $("copy").addEventListener("click", copy);
  document.addEventListener("visibilitychange", seen);
  await openSurely();
}

start().catch(showTrouble);

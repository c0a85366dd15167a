// The page: asks, listens, and hands what comes to the panels.

import { explain, get, isLocal, listen } from "./api.js";
import { say, setText } from "./dom.js";
import { events } from "./events.js";
import { zone } from "./format.js";

const ROWS = 30;
const FRAME = 100; // events in a frame at most: of more the server sends the newest
const SOON = 300; // ms after an event: the first look at the lake
const SETTLED = 6500; // ms after it: by then the lake has it (its window is 5 s)
const GAP = 4000; // ms between two looks at the lake
const IDLE = 30000; // ms: the 24 hours move on also when nothing happens
const AGAIN = 2000; // ms after a failure

const $ = (id) => document.getElementById(id);
const state = { site: new URL(location).searchParams.get("site") ?? "", cursor: 0, paused: false, held: [], waiting: 0, more: false, empty: false, source: null, started: false, asked: 0, generation: 0 };
// The table works without the rest: each other part is loaded by itself, and says so if it cannot be.
const view = { events: null, board: null, trust: null, sites: null, notices: null };

// --- what is shown ---------------------------------------------------------------------------------

const STATES = { live: "Live", paused: "Paused", waiting: "Connecting", lost: "Reconnecting" };

function showLive(name) {
  const state_ = state.paused ? "paused" : name;
  $("live").dataset.state = state_;
  $("live").dataset.under = name;
  $("live").setAttribute("aria-pressed", String(state.paused));
  $("live").title = state.paused ? "Go on" : "Hold the page still";
  setText($("live-text"), state.paused && state.waiting ? `Paused, ${state.waiting}${state.more ? "+" : ""} new` : STATES[state_]);
}

function showTrouble(error) {
  say($("trouble"), error == null ? null : explain(error));
}

function showEmpty(empty) {
  state.empty = empty;
  $("empty").hidden = !empty;
  for (const element of [$("board"), $("lists"), $("events")]) element.hidden = empty;
}

function showNow(now) {
  view.board?.now(now);
  document.title = now.visitors_5 ? `${now.visitors_5} now · pixelake` : "pixelake";
}

function showStatus(status) {
  view.trust?.show(status);
  view.notices?.(status.notices ?? []);
}

function showSites() {
  return view.sites?.load(state.site).catch(() => setTimeout(showSites, AGAIN));
}

/** The answer, as soon as there is one; undefined when it is no longer `wanted`. */
async function insist(call, failed, wanted = () => true) {
  while (wanted()) {
    try {
      return await call();
    } catch (error) {
      if (wanted()) failed(error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}

// --- the lake: asked when something happened --------------------------------------------------------

async function ask() {
  const { generation, site } = state;
  state.asked = performance.now();
  const error = await view.board?.ask(site, () => generation === state.generation && !state.paused);
  if (generation === state.generation) showTrouble(error);
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
    state.waiting += fresh.length;
    state.more ||= fresh.length >= FRAME;
    showLive("live");
    return;
  }
  if (state.empty) {
    showEmpty(false);
    setText($("spoken"), "The first hit has arrived.");
  }
  view.events.add(fresh);
  if (fresh.some((event) => view.sites?.lacks(event.site))) showSites();
  state.settle = performance.now() + SETTLED;
  askIn(SOON);
}

function connect() {
  state.started = true;
  state.source?.close();
  state.source = listen(
    { site: state.site, after: state.cursor },
    {
      events: take,
      now: (now) => state.paused || showNow(now),
      status: showStatus,
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

/** Everything of one site, or of all; what cannot be had now says so, and does not hold up the rest. */
async function open() {
  const generation = ++state.generation;
  const { site } = state;
  const wanted = () => generation === state.generation;
  const status = get("status");
  status.then(showStatus, (error) => view.trust?.fail(explain(error)));
  showSites();
  renew();
  const newest = await insist(() => get("recent", { site, limit: ROWS }), failed, wanted);
  const sums = await status.catch(() => null);
  if (!wanted()) return;
  state.cursor = newest[0]?.cursor ?? state.cursor;
  showTrouble(null);
  view.events.clear();
  view.events.add(newest.reverse(), true);
  document.body.classList.toggle("one-site", site !== "");
  showEmpty(newest.length === 0 && !site && sums?.outcomes === 0);
  $("main").setAttribute("aria-busy", "false");
  connect();
}

function failed(error) {
  view.events.fail(explain(error));
  showTrouble(isLocal(error) ? null : error);
}

/** The live figures, and the lake's. */
function renew() {
  const { generation, site } = state;
  const current = (show) => (answer) => generation === state.generation && show(answer);
  get("now", { site }).then(current(({ rows }) => showNow(rows[0])), current((error) => view.board?.nowFailed(error)));
  ask();
  askIn(IDLE);
}

// --- what people do -----------------------------------------------------------------------------------

function pick(site) {
  state.site = site;
  state.cursor = 0;
  forget();
  history.replaceState(null, "", site ? `/?${new URLSearchParams({ site })}` : "/");
  open();
}

function forget() {
  Object.assign(state, { held: [], waiting: 0, more: false });
}

function pause() {
  state.paused = !state.paused;
  const { held } = state;
  forget();
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
  } else if (!state.source && state.started) {
    connect();
    askIn(0);
  }
}

// --- the parts ----------------------------------------------------------------------------------------

const UNLOADED = "This part of the page could not be loaded. Reload the page.";

async function drawBoard(part) {
  const charts = await insist(() => get("charts"), (error) => say($("board-failed"), explain(error)));
  say($("board-failed"), null);
  const places = { figures: $("figures"), failed: $("board-failed"), lines: $("lines"), lists: $("lists"), meaning: $("meaning") };
  view.board = part.board(places, charts);
  renew();
}

async function drawTag() {
  const about = await insist(() => get("about"), () => {});
  setText($("snippet"), about.snippet);
  setText($("try"), `curl '${about.collect_url}/pixel.gif?site=example.com&url=https://example.com/hello&title=Hello'`);
}

async function start() {
  view.events = events($("rows"), $("no-rows"));
  setText($("zone"), `Times in ${zone}`);
  $("live").addEventListener("click", pause);
  $("copy").addEventListener("click", copy);
  document.addEventListener("visibilitychange", seen);
  await Promise.all([
    import("./trust.js").then(
      ({ trust }) => (view.trust = trust({ sums: $("sums"), mark: $("trust-mark"), text: $("trust-text"), delay: $("delay") })),
      () => setText($("trust-text"), UNLOADED),
    ),
    import("./notices.js").then(
      ({ notices }) => (view.notices = notices($("notices"))),
      () => say($("notices"), UNLOADED),
    ),
    import("./sites.js").then(
      ({ sites }) => (view.sites = sites({ select: $("site"), find: $("find"), query: $("query"), found: $("found") }, pick)),
      () => ($("site").disabled = true),
    ),
    import("./board.js").then(
      (part) => void drawBoard(part),
      () => say($("board-failed"), UNLOADED),
    ),
  ]);
  drawTag();
  await open();
}

start();

// The newest events, as they arrive. All their text is from outside.

import { clean, h, outside, setText } from "./dom.js";
import { clockTime, country } from "./format.js";

const SHOWN = 30;
const FLAGS = [
  ["bot", (event) => event.bot_name ?? "a machine"],
  ["duplicate", () => "its event id was seen before; left out of every report"],
  ["prefetch", () => "fetched ahead of a visit"],
  ["proxy", (event) => `fetched by ${event.proxy}`],
];
const NAMES = { duplicate: "repeat" };

const cell = (name, ...children) => h("td", { class: `c-${name}` }, ...children);

function text(name, value) {
  if (value == null || value === "") return h("td", { class: `c-${name} is-empty` }, h("span", { class: "none" }, "–"));
  return cell(name, outside("span", value, { title: clean(value, 1000) }));
}

// A guess at the system alone says less than what was sent.
const client = (event) => (event.browser || !event.user_agent ? [event.browser, event.os, event.device].filter(Boolean).join(" · ") : event.user_agent);
const page = (event) => event.path ?? event.url ?? event.host;

function flags(event) {
  const on = FLAGS.filter(([name]) => event[name]);
  const badges = on.map(([name, why]) => h("span", { class: `badge badge-${name}`, title: clean(why(event)) }, NAMES[name] ?? name));
  if (event.method === "HEAD") badges.push(h("span", { class: "badge", title: "a HEAD is never a view" }, "head"));
  return cell("flags", ...badges);
}

/** Everything that is known of an event, as a row below it. */
function details(event) {
  const known = Object.entries(event).filter(([name, value]) => value != null && value !== "" && name !== "cursor");
  const pairs = known.map(([name, value]) => {
    const shown = name === "received_at" ? new Date(value / 1000).toISOString() : typeof value === "object" ? JSON.stringify(value) : value;
    return h("div", {}, h("dt", {}, name), outside("dd", shown, {}, 4000));
  });
  return h("tr", { class: "details" }, h("td", { colspan: "9" }, h("dl", {}, ...pairs)));
}

function row(event) {
  const at = new Date(event.received_at / 1000);
  const time = h("button", { type: "button", "aria-expanded": "false", title: `${at.toISOString()}: show everything` }, clockTime(at));
  const line = h(
    "tr",
    { "data-id": clean(event.hit_id) },
    cell("time", time),
    text("site", event.site),
    text("event", event.event),
    text("page", page(event)),
    text("title", event.title),
    text("referrer", event.referrer_host ?? event.referrer),
    event.country ? cell("country", h("abbr", { title: country(event.country) }, clean(event.country, 8))) : text("country"),
    text("client", client(event)),
    flags(event),
  );
  time.addEventListener("click", () => {
    const open = line.nextElementSibling?.classList.contains("details");
    time.setAttribute("aria-expanded", String(!open));
    if (open) line.nextElementSibling.remove();
    else line.after(details(event));
  });
  return line;
}

/** Shows events in a table body; newest on top, each once. */
export function events(body, nothing) {
  const shown = new Map();
  const none = nothing.textContent;

  function forget() {
    for (const [id, line] of shown) {
      if (shown.size <= SHOWN) return;
      if (line.nextElementSibling?.classList.contains("details")) line.nextElementSibling.remove();
      line.remove();
      shown.delete(id);
    }
  }

  return {
    /** Adds events, oldest first. */
    add(fresh, quietly = false) {
      for (const event of fresh.slice(-SHOWN)) {
        if (shown.has(event.hit_id)) continue;
        const line = row(event);
        if (!quietly) line.classList.add("fresh");
        shown.set(event.hit_id, line);
        body.prepend(line);
      }
      forget();
      setText(nothing, none);
      nothing.hidden = shown.size > 0;
    },
    /** Says why there are none, or no newer ones. */
    fail(reason) {
      setText(nothing, reason);
      nothing.hidden = false;
    },
    clear() {
      shown.clear();
      body.replaceChildren();
      nothing.hidden = false;
    },
  };
}

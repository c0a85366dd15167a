// What an event is called in a row: its page, where it came from, with what, and whether it counts. All of it is text from outside.

import { clean, html } from "./ui.js";

const MARKS = [
  ["bot", "machine", (row) => row.bot_name ?? "a machine"],
  ["duplicate", "repeat", () => "its event id was seen before: it is left out of every report"],
  ["prefetch", "prefetch", () => "fetched ahead of a visit that may never come"],
  ["proxy", "proxy", (row) => `fetched by ${row.proxy} in a person's place`],
];

/** Badges that say why a row may not be a person's. */
export function Marks({ row }) {
  const bot = row.bot ?? Boolean(row.bot_name);
  const told = { ...row, bot };
  const on = MARKS.filter(([name]) => told[name]);
  return html`<span class="marks">${on.map(([name, text, why]) => html`<span key=${name} class="badge badge-${name}" title=${clean(why(row))}>${text}</span>`)}${row.method === "HEAD" && html`<span class="badge" title="a HEAD is never a view">head</span>`}</span>`;
}

/** Its page: host and path, else whatever was said of it. */
export const pageOf = (row) => (row.path != null ? `${row.host ?? ""}${row.path}` : row.url ?? row.host ?? "");

/** Where it came from: not from the site itself. */
export function sourceOf(row) {
  const host = row.referrer_host ?? hostOf(row.referrer);
  if (host && host !== row.host?.replace(/^www\./, "")) return host;
  return row.channel && row.channel !== "direct" ? row.channel : "";
}

function hostOf(referrer) {
  try {
    return referrer ? new URL(referrer).host.replace(/^www\./, "") : "";
  } catch {
    return "";
  }
}

/** With what; a guess at the system alone says less than what was sent. */
export const withWhat = (row) => (row.browser || !row.user_agent ? [row.browser, row.os].filter(Boolean).join(" · ") : row.user_agent);

/** When it came, in ms since 1970: the live feed tells microseconds, the questions ISO 8601. */
export const momentOf = (row) => (typeof row.received_at === "number" ? row.received_at / 1000 : Date.parse(row.received_at));

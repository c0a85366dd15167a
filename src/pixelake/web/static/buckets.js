// Buckets of time in the reader's language, on the wall clock of a zone: when they begin, how they are called, and which of them an axis names.

import { clock } from "./format.js";

/** What is shorter than a day is told with its time. */
const TIMED = ["minute", "quarter", "hour"];
const TITLES = {
  day: { weekday: "short", day: "numeric", month: "long", year: "numeric" },
  week: { day: "numeric", month: "short", year: "numeric" },
  month: { month: "long", year: "numeric" },
};
/** `3:00 PM`, but `03:00`: as the reader's language has it. */
const TIME = { hour: new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hour12 ? "numeric" : "2-digit", minute: "2-digit" };
const TIMED_TITLE = { weekday: "short", day: "numeric", month: "short", ...TIME };
const PARTS = { year: "numeric", month: "numeric", day: "numeric", weekday: "short", hour: "numeric", minute: "numeric", hourCycle: "h23" };

let zones = new Map();

/** The maker of parts for a zone; UTC for one that the browser does not know. */
function parted(zone) {
  if (zones.has(zone)) return zones.get(zone);
  if (zones.size > 50) zones = new Map();
  let format;
  try {
    format = new Intl.DateTimeFormat("en-GB", { ...PARTS, timeZone: zone || "UTC" });
  } catch {
    format = new Intl.DateTimeFormat("en-GB", { ...PARTS, timeZone: "UTC" });
  }
  zones.set(zone, format);
  return format;
}

/** A formatter in a zone, or in the one that stands for it where the browser does not know it. */
const formatter = (form, zone) => clock(form, parted(zone).resolvedOptions().timeZone);

/** What the wall clock of a zone shows at a moment (ms): { year, month, day, hour, minute, weekday }. */
export function wall(moment, zone) {
  const found = {};
  for (const { type, value } of parted(zone).formatToParts(moment)) found[type] = type === "weekday" ? value : Number(value);
  return found;
}

/** The moments (ms) of ISO texts; one without an offset is on the wall clock of the zone. */
export const moments = (texts, zone) => texts.map((text) => moment(String(text), zone));

function moment(text, zone) {
  if (/(Z|[+-]\d\d:?\d\d)$/i.test(text)) return Date.parse(text);
  const shown = Date.parse(text.includes("T") ? `${text}Z` : `${text.replace(" ", "T")}${text.length > 10 ? "" : "T00:00"}Z`);
  const first = shown - ahead(shown, zone);
  return shown - ahead(first, zone);
}

/** By how much the clock of a zone is ahead of UTC at a moment, in ms. */
function ahead(at, zone) {
  if (!Number.isFinite(at)) return 0;
  const { year, month, day, hour, minute } = wall(at, zone);
  return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(at / 60000) * 60000;
}

/** The texts of buckets in full. Hours that a clock has twice are told with the name of its time. */
export function titles(begins, interval, zone) {
  if (!TIMED.includes(interval)) return begins.map(formatter(TITLES[interval] ?? TITLES.day, zone)).map((text) => (interval === "week" ? `Week of ${text}` : text));
  const plain = begins.map(formatter(TIMED_TITLE, zone));
  const exact = formatter({ ...TIMED_TITLE, timeZoneName: "short" }, zone);
  const seen = new Map();
  for (const text of plain) seen.set(text, (seen.get(text) ?? 0) + 1);
  return plain.map((text, at) => (seen.get(text) > 1 ? exact(begins[at]) : text));
}

/** From when to when, in words: `Tue, Mar 3, 14:00 – 16:00`. */
export function stretch(begins, ends, zone) {
  try {
    return new Intl.DateTimeFormat(undefined, { ...TIMED_TITLE, timeZone: parted(zone).resolvedOptions().timeZone }).formatRange(new Date(begins), new Date(ends));
  } catch {
    return `${begins} – ${ends}`;
  }
}

// --- which buckets an axis names -------------------------------------------------------------------

const every = (minutes) => ({ minute }, _, __) => minute % minutes === 0;
const hours = (number) => ({ minute, hour }) => minute === 0 && hour % number === 0;
// A day begins where the date changes: not every day of every clock has a midnight.
const begun = (unit, first) => (now, then) => (then ? now[unit] !== then[unit] : first(now));
const day = begun("day", ({ hour, minute }) => hour === 0 && minute === 0);
const month = begun("month", (now) => now.day === 1);
const year = begun("year", (now) => now.day === 1 && now.month === 1);
const monday = (now, then) => day(now, then) && now.weekday === "Mon";
const quarter = (now, then) => month(now, then) && now.month % 3 === 1;

const COARSE = [month, quarter, year];
const FINE = [...[1, 5, 10, 15, 30].map(every), ...[1, 2, 3, 6, 12].map(hours), day, monday, ...COARSE];
const RANKS = { minute: FINE, quarter: FINE.slice(3), hour: FINE.slice(5), day: [() => true, monday, ...COARSE], week: [() => true, ...COARSE], month: [() => true, quarter, year] };
const FEWEST = 3;

/**
 * The buckets that an axis names: natural ones (Mondays, midnights, quarters of a year), `most` of them at most;
 * where those are too many, and the next ones too few, every second or third of them.
 * Returns [{ at, text }] by their index.
 */
export function ticks(begins, interval, zone, most) {
  const walls = walled(begins, zone);
  const where = (rule) => walls.flatMap((now, at) => (rule(now, walls[at - 1]) ? [at] : []));
  const ranks = RANKS[interval] ?? RANKS.day;
  const natural = [[null, walls.map((_, at) => at)], ...ranks.map((rule) => [rule, where(rule)]).filter(([, found]) => found.length >= FEWEST)];
  const [rule, found] = natural.find(([by, found]) => by && found.length <= most) ?? natural.at(-1);
  const step = Math.ceil(found.length / Math.max(1, most));
  const name = namer(interval, zone, COARSE.includes(rule));
  return found.filter((_, at) => at % step === 0).map((at) => ({ at, text: name(begins[at], walls[at], walls[at - 1]) }));
}

const known = new WeakMap();

/** What the clock shows at each of these moments; made once, however often they are drawn. */
function walled(begins, zone) {
  if (!known.has(begins)) known.set(begins, begins.map((each) => wall(each, zone)));
  return known.get(begins);
}

function namer(interval, zone, isCoarse) {
  const [time, date] = [formatter(TIME, zone), formatter({ day: "numeric", month: "short" }, zone)];
  const [months, years] = [formatter({ month: "short" }, zone), formatter({ year: "numeric" }, zone)];
  return (begin, now, then) => {
    if (TIMED.includes(interval) && !day(now, then)) return time(begin);
    if (!isCoarse && interval !== "month") return date(begin);
    return then && year(now, then) ? years(begin) : months(begin);
  };
}

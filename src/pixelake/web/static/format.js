// Numbers and times as people read them: in the reader's language, and in the zone that is said beside them.

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const change = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const decimal = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const amount = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const regions = new Intl.DisplayNames(undefined, { type: "region", fallback: "code" });
const languages = new Intl.DisplayNames(undefined, { type: "language", fallback: "code" });

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const count = (number) => whole.format(number);
export const compact = (number) => (Math.abs(number) < 1e5 ? whole.format(number) : short.format(number));
export const share = (part, all) => (all ? percent.format(part / all) : "–");
export const changed = (number) => change.format(number);

/** A number by its unit: count, share, seconds, ratio, amount. Nothing is a dash. */
export function figure(number, unit = "count", form = compact) {
  if (number == null) return "–";
  const ways = { share: (n) => percent.format(n), seconds: duration, ratio: (n) => decimal.format(n), amount: (n) => amount.format(n) };
  return (ways[unit] ?? form)(Number(number));
}

/** Seconds as a duration: `0.4 s`, `12 s`, `3 min 20 s`, `5 h`. */
export function duration(seconds) {
  if (seconds < 10) return `${decimal.format(seconds)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return seconds < 7200 ? `${minutes} min` : `${Math.round(seconds / 3600)} h`;
}

/** Name of a country by its code; the code if it is none. */
export function country(code) {
  try {
    return regions.of(code);
  } catch {
    return code;
  }
}

/** Name of a language by its tag; the tag if it is none. */
export function language(tag) {
  try {
    return languages.of(tag);
  } catch {
    return tag;
  }
}

/** A formatter of moments (ISO texts, Dates or ms) in a zone; an unknown zone is the reader's. */
export function clock(options, inZone) {
  try {
    return made({ ...options, timeZone: inZone || undefined });
  } catch {
    return made(options);
  }
}

const kept = new Map();
function made(options) {
  const name = JSON.stringify(options);
  if (!kept.has(name)) kept.set(name, new Intl.DateTimeFormat(undefined, options));
  const format = kept.get(name);
  return (moment) => format.format(new Date(moment));
}

export const dayTime = (moment, inZone) => clock({ dateStyle: "medium", timeStyle: "short" }, inZone)(moment);
export const day = (moment, inZone) => clock({ dateStyle: "medium" }, inZone)(moment);
export const clockTime = (moment, inZone) => clock({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }, inZone)(moment);

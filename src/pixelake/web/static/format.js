// Numbers and times as people read them, in the language and zone of the browser.

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 4 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const regions = new Intl.DisplayNames(undefined, { type: "region", fallback: "code" });

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const count = (number) => whole.format(number);
export const compact = (number) => (number < 1e6 ? whole.format(number) : short.format(number));
export const share = (part, all) => (all ? percent.format(part / all) : "–");
export const clockTime = (date) => clock.format(date);
export const hourTime = (date) => hour.format(date);
export const dayAndHour = (date) => `${day.format(date)}, ${hour.format(date)}`;

/** Seconds as a duration: `0.4 s`, `12 s`, `3 min`, `5 h`. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** Name of a country by its code; the code if it is none. */
export function country(code) {
  try {
    return regions.of(code);
  } catch {
    return code;
  }
}

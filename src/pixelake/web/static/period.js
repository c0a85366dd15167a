// The period: presets, a range of one's own, the buckets of the chart, and the zone; all of it lives in the address.

import { PERIODS, go } from "./address.js";
import { Dialog, Menu, html, useState } from "./ui.js";

const INTERVALS = ["", "minute", "quarter", "hour", "day", "week", "month"];

const named = (state) => (state.from || state.to ? `${state.from || "the beginning"} to ${state.to || "now"}` : (PERIODS.find(({ name }) => name === (state.period || "30d"))?.label ?? state.period));

/** A menu of the presets; the rest is behind its last line. */
export function PeriodPicker({ state }) {
  const [own, setOwn] = useState(false);
  const isOwn = Boolean(state.from || state.to);
  const choices = PERIODS.map(({ name, label, key }) => ({ label, note: key, marked: !isOwn && (state.period || "30d") === name, act: () => go({ period: name, from: "", to: "" }) }));
  const last = { label: "Custom range, interval, zone …", marked: isOwn, act: () => setOwn(true) };
  return html`<${Menu} class="period" label="Period" text=${html`<span>${named(state)}</span><span class="caret" aria-hidden="true"></span>`} choices=${[...choices, last]} />
    ${own && html`<${OwnRange} state=${state} done=${() => setOwn(false)} />`}`;
}

/** From and to as dates (the last one included, as people say it), interval and zone. */
function OwnRange({ state, done }) {
  const [from, setFrom] = useState(state.from.slice(0, 10));
  const [to, setTo] = useState(state.to ? before(state.to.slice(0, 10)) : "");
  const [interval, setInterval] = useState(state.interval);
  const [zone, setZone] = useState(state.zone);
  const use = (event) => {
    event.preventDefault();
    const span = from || to ? { period: "", from, to: to && after(to) } : { from: "", to: "" };
    go({ ...span, interval, zone });
    done();
  };
  return html`<${Dialog} title="Range, interval, zone" done=${done}><form class="form" onSubmit=${use}>
    <label>First day <input type="date" max=${to || undefined} value=${from} onInput=${(event) => setFrom(event.target.value)} /></label>
    <label>Last day <input type="date" min=${from || undefined} value=${to} onInput=${(event) => setTo(event.target.value)} /></label>
    <label>Interval <select value=${interval} onChange=${(event) => setInterval(event.target.value)}>${INTERVALS.map((each) => html`<option key=${each} value=${each}>${each || "by the length of the period"}</option>`)}</select></label>
    <label>Time zone <input list="zones" placeholder="the site's own" value=${zone} onInput=${(event) => setZone(event.target.value)} /></label>
    <datalist id="zones">${(Intl.supportedValuesOf?.("timeZone") ?? []).map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>
    <div class="actions"><button type="submit" class="button primary">Show</button></div>
  </form><//>`;
}

/** Some days on; nothing for what is no date. */
function moved(date, days) {
  const moment = Date.parse(`${date}T00:00:00Z`) + days * 864e5;
  return Math.abs(moment) < 8.64e15 ? new Date(moment).toISOString().slice(0, 10) : "";
}
const after = (date) => moved(date, 1);
const before = (date) => moved(date, -1);

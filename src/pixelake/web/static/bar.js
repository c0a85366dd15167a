// What is looked at: period, zone, comparison, people or machines, and the filters as chips that can be taken away.

import { PERIODS, added, go, inWords, parameters, removed, test } from "./address.js";
import { explain, get } from "./api.js";
import { PeriodPicker } from "./period.js";
import { Dialog, Failure, Outside, clean, html, speak, useEffect, useState } from "./ui.js";

/** The bar under the header. */
export function Bar({ state }) {
  const [adding, setAdding] = useState(false);
  useEffect(() => {
    const wanted = () => setAdding(true);
    addEventListener("addfilter", wanted);
    return () => removeEventListener("addfilter", wanted);
  }, []);
  return html`<section class="bar wrap" aria-label="What is looked at">
    <${PeriodPicker} state=${state} />
    <${Switch} label="Compare" title="With the period before" on=${state.compare === "true"} flip=${(on) => go({ compare: on ? "true" : "" })} />
    <${Switch} label="Machines" title="Count machines, repeats and prefetches as well" on=${state.people === "false"} flip=${(on) => go({ people: on ? "false" : "" })} />
    <span class="chips">${state.filter.map((each) => html`<${Chip} key=${each} filter=${each} state=${state} />`)}
      <button type="button" class="button ghost" onClick=${() => setAdding(true)}>+ Filter</button>
      ${state.filter.length > 1 && html`<button type="button" class="link" onClick=${(click) => (click.currentTarget.previousElementSibling.focus(), go({ filter: [] }))}>Clear all</button>`}
    </span>
    ${adding && html`<${AddFilter} state=${state} done=${() => setAdding(false)} />`}
  </section>`;
}

function Switch({ label, title, on, flip }) {
  return html`<button type="button" class="button toggle" role="switch" aria-checked=${String(on)} title=${title} onClick=${() => flip(!on)}><span class="knob" aria-hidden="true"></span>${label}</button>`;
}

function Chip({ filter, state }) {
  const take = (click) => {
    click.currentTarget.closest(".chips").querySelector(":scope > button").focus(); // this one goes
    go({ filter: removed(state.filter, filter) });
    speak("Filter taken away.");
  };
  return html`<span class="chip"><${Outside} text=${inWords(filter)} most=${80} /><button type="button" aria-label=${`Take away: ${clean(inWords(filter), 80)}`} onClick=${take}>✕</button></span>`;
}

export const COLUMNS = [
  ["path", "Page (path)", "pages"], ["host", "Host", "hosts"], ["title", "Title", "titles"], ["event", "Event", "events"],
  ["channel", "Channel", "channels"], ["referrer_host", "Referrer", "referrers"], ["utm_source", "Campaign source", ""], ["utm_medium", "Campaign medium", ""],
  ["utm_campaign", "Campaign", "campaigns"], ["country", "Country", "countries"], ["region", "Region", "regions"], ["city", "City", "cities"],
  ["language", "Language", "languages"], ["browser", "Browser", "browsers"], ["os", "System", "systems"], ["device", "Device", "devices"],
  ["screen", "Screen", "screens"], ["user_id", "User", ""], ["bot_name", "Machine", "bots"], ["proxy", "Proxy", "proxies"], ["properties.", "Property …", ""],
];
const OPERATORS = ["is", "is not", "contains", "does not contain", "matches", "does not match"];

/** A form for one more filter, with the values that there are. */
function AddFilter({ state, done }) {
  const [column, setColumn] = useState("path");
  const [name, setName] = useState("");
  const [operator, setOperator] = useState("is");
  const [value, setValue] = useState("");
  const [fault, setFault] = useState("");
  const known = useKnown(column, state);
  const add = async (event) => {
    event.preventDefault();
    const one = test(column === "properties." ? `properties.${name}` : column, operator, value);
    try {
      await get("overview", { ...parameters(state), period: "today", from: "", to: "", compare: "", filter: [one] });
    } catch (error) {
      return setFault(explain(error));
    }
    go({ filter: added(state.filter, one), ...(column === "bot_name" ? { people: "false" } : {}) });
    done();
  };
  return html`<${Dialog} title="Add a filter" done=${done}><form class="form" onSubmit=${add}>
    <label>Column <select value=${column} onChange=${(event) => setColumn(event.target.value)}>${COLUMNS.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select></label>
    ${column === "properties." && html`<label>Name <input required maxlength="200" value=${name} onInput=${(event) => setName(event.target.value)} /></label>`}
    <label>Test <select value=${operator} onChange=${(event) => setOperator(event.target.value)}>${OPERATORS.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>
    <label>Value <input list="known" maxlength="2000" placeholder="nothing: where there is none" autocomplete="off" value=${value} onInput=${(event) => setValue(event.target.value)} /></label>
    <datalist id="known">${known.map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>
    <${Failure} text=${fault} />
    <div class="actions"><button type="submit" class="button primary">Add</button></div>
  </form><//>`;
}

/** The commonest values of a column in this period. */
function useKnown(column, state) {
  const [known, setKnown] = useState([]);
  useEffect(() => {
    const question = COLUMNS.find(([id]) => id === column)?.[2];
    const stop = new AbortController();
    setKnown([]);
    if (question) get(question, { ...parameters(state), compare: "", limit: 50 }, { signal: stop.signal }).then(({ rows }) => setKnown([...new Set(rows.filter((row) => row.value != null).map((row) => (column === "path" ? row.value.replace(/^[^/]*/, "") : row.value)))]), () => {});
    return () => stop.abort();
  }, [column, state.site, state.period, state.from, state.to]);
  return known;
}

/** The name of the period that is looked at. */
export const periodLabel = (state) => PERIODS.find(({ name }) => name === (state.period || "30d"))?.label ?? state.period;

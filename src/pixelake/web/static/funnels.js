// Funnels: steps are chosen, and at once it shows how many people go from each to the next. Steps and window are in the address.

import { parameters } from "./address.js";
import { explain, get, send } from "./api.js";
import { useAnswer } from "./asking.js";
import { count, duration, figure } from "./format.js";
import { put } from "./hash.js";
import { Exports } from "./rows.js";
import { Condition, parsed, said, useSuggestions } from "./steps.js";
import { Sure } from "./sure.js";
import { Dialog, Failure, Outside, Skeleton, clean, html, speak, useEffect, useState } from "./ui.js";

const LEAST = 2;
const MOST = 12;
const WINDOWS = [["1", "1 hour"], ["24", "1 day"], ["168", "7 days"], ["720", "30 days"], ["2160", "90 days"]];
const TYPING = 400; // ms after a key

/** The tab. `given`: `step` any number of times, or `funnel`, the name of a declared one; `window` in hours. */
export function Funnels({ me, state, given }) {
  const wanted = given.getAll("step");
  const named = given.get("funnel") ?? "";
  const hours = given.get("window") || "24";
  const [steps, setSteps] = useState(() => filled(wanted));
  const texts = steps.map(said);
  const whole = texts.filter(Boolean);
  const known = useSuggestions(state);
  const declared = useDeclared(state.site);
  const show = (texts, hours) => put("funnels", [...texts.map((text) => ["step", text]), ["window", hours === "24" ? "" : hours]], { replace: true });
  useEffect(() => {
    if (!whole.length && named) return;
    const timer = setTimeout(() => show(whole, hours), TYPING);
    return () => clearTimeout(timer);
  }, [whole.join("\n")]);
  useEffect(() => void (wanted.join("\n") !== whole.join("\n") && setSteps(filled(wanted))), [wanted.join("\n")]);
  const take = (funnel) => {
    const simple = plain(funnel);
    setSteps(filled(simple ?? []));
    if (simple) show(simple, hours);
    else put("funnels", [["funnel", funnel.name], ["window", hours]], { replace: true });
    speak(`Funnel ${clean(funnel.name, 80)}`);
  };
  return html`<div class="funnels">
    <section class="card builder" aria-label="Steps">
      <header class="card-head"><h2>Steps</h2><label class="quiet">Within <select aria-label="All steps within" value=${hours} onChange=${(event) => show(whole, event.target.value)}>${windows(hours).map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select></label></header>
      <${Steps} steps=${steps} known=${known} change=${setSteps} />
      <${Declared} me=${me} state=${state} declared=${declared} texts=${whole} take=${take} />
    </section>
    <${Answer} state=${state} steps=${wanted} named=${named} hours=${hours} />
  </div>`;
}

const filled = (texts) => [...texts, ...Array(Math.max(0, LEAST - texts.length)).fill("")].map(parsed);
const windows = (hours) => (WINDOWS.some(([value]) => value === hours) ? WINDOWS : [...WINDOWS, [hours, `${hours} hours`]]);

/** The steps of a declared funnel, a text each; null: one has several filters, and the funnel is asked by its name. */
const plain = ({ steps }) => (steps.every((filters) => filters.length === 1) ? steps.flat() : null);

function Steps({ steps, known, change }) {
  const put = (at, one) => change(steps.map((each, place) => (place === at ? one : each)));
  const move = (at, by) => change(steps.map((each, place) => (place === at ? steps[at + by] : place === at + by ? steps[at] : each)));
  return html`<ol class="steps">${steps.map((one, at) => html`<li key=${at}><span class="step-number" aria-hidden="true">${at + 1}</span>
      <${Condition} one=${one} name=${`Step ${at + 1}`} known=${known} change=${(next) => put(at, next)} />
      <span class="step-tools"><button type="button" class="button ghost" disabled=${at === 0} aria-label=${`Step ${at + 1} up`} onClick=${() => move(at, -1)}>↑</button><button type="button" class="button ghost" disabled=${steps.length <= LEAST} aria-label=${`Take step ${at + 1} away`} onClick=${() => change(steps.filter((_, place) => place !== at))}>✕</button></span></li>`)}</ol>
    <button type="button" class="button add-step" disabled=${steps.length >= MOST} onClick=${() => change([...steps, parsed("")])}>+ Step</button>`;
}

/** What a site declares: { goals, funnels, fault, look }. Without a site nothing. */
export function useDeclared(site) {
  const [found, setFound] = useState({ goals: [], funnels: [], fault: "" });
  const look = () => site ? get("declared", { site }).then((told) => setFound({ ...told, fault: "" }), (error) => setFound((known) => ({ ...known, fault: explain(error) }))) : setFound({ goals: [], funnels: [], fault: "" });
  useEffect(() => void look(), [site]);
  return { ...found, look };
}

/** The site's own funnels: opened by a click, kept and removed by an owner. */
function Declared({ me, state, declared, texts, take }) {
  const [keeping, setKeeping] = useState(false);
  const [gone, setGone] = useState("");
  const owns = me.role === "owner";
  return html`<div class="declared">
    <h3>Saved funnels</h3>
    ${!state.site && html`<p class="quiet">Choose a site above to see and save its funnels.</p>`}
    ${state.site && !declared.funnels.length && html`<p class="quiet">${clean(state.site, 60)} has none yet.</p>`}
    <ul class="texts">${declared.funnels.map((funnel) => html`<li key=${funnel.name}><button type="button" class="plain" onClick=${() => take(funnel)}><${Outside} text=${funnel.name} /> <span class="quiet">${funnel.steps.length} steps</span></button>${owns && html`<button type="button" class="button ghost" aria-label=${`Remove ${clean(funnel.name, 80)}`} onClick=${() => setGone(funnel.name)}>✕</button>`}</li>`)}</ul>
    <${Failure} text=${declared.fault} />
    ${owns && state.site && html`<button type="button" class="button" disabled=${texts.length < LEAST} onClick=${() => setKeeping(true)}>Save this funnel …</button>`}
    ${keeping && html`<${Keep} site=${state.site} texts=${texts} done=${() => (setKeeping(false), declared.look())} />`}
    ${gone && html`<${Sure} title="Remove a funnel" text=${`The site no longer declares “${clean(gone, 80)}”. The events stay.`} act=${() => send("DELETE", "declared/funnel", undefined, { site: state.site, name: gone })} done=${() => (setGone(""), declared.look())} />`}
  </div>`;
}

function Keep({ site, texts, done }) {
  const [name, setName] = useState("");
  const [fault, setFault] = useState("");
  const keep = (event) => {
    event.preventDefault();
    send("PUT", "declared/funnel", { steps: texts.map((text) => [text]) }, { site, name: name.trim() }).then(done, (error) => setFault(explain(error)));
  };
  return html`<${Dialog} title="Save this funnel" done=${done}><form class="form" onSubmit=${keep}>
    <label>Name <input required maxlength="80" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <p class="quiet">It becomes one of ${clean(site, 60)}, also for <code>pixelake query funnel</code>. One of the same name is replaced.</p>
    <${Failure} text=${fault} />
    <div class="actions"><button type="submit" class="button primary">Save</button></div>
  </form><//>`;
}

function Answer({ state, steps, named, hours }) {
  const byName = named && !steps.length && state.site;
  const ready = byName || steps.length >= LEAST;
  const given = { ...parameters(state), compare: "", window: hours, ...(byName ? { funnel: named } : { steps }) };
  const { answer, fault, old, again } = useAnswer(ready ? "funnel" : null, given);
  const rows = ready ? answer?.rows : null;
  return html`<section class="card funnel" aria-label="Funnel" aria-busy=${String(Boolean(ready && !answer && !fault))}>
    <header class="card-head"><h2>${rows?.length ? headline(rows) : "How far people go"}</h2>${rows?.length > 0 && html`<${Exports} question="funnel" given=${given} />`}</header>
    <div class="pad">
      <${Failure} text=${fault} again=${again} />
      ${!ready && html`<p class="nothing">Choose two steps or more: a page people see, an event they cause. Each person counts once, on the way that goes furthest.</p>`}
      ${ready && !rows && !fault && html`<${Skeleton} rows=${Math.max(4, 2 * steps.length)} />`}
      ${rows && html`<${Way} rows=${rows} old=${old} /><${Notes} rows=${rows} hours=${Number(hours)} zone=${answer.zone} />`}
    </div>
  </section>`;
}

function headline(rows) {
  const [first, last] = [rows[0].people, rows.at(-1).people];
  return first ? `${figure(last / first, "share")} of ${count(first)} came to the end` : "Nobody took the first step in this period";
}

/** A table that looks like a funnel: a bar for each step, and who was lost behind it. */
function Way({ rows, old }) {
  return html`<table class="way" data-old=${String(old)}><thead class="spoken"><tr><th scope="col">Step</th><th scope="col">People, and their share of the first step</th><th scope="col">From the step before</th></tr></thead>
    <tbody>${rows.map((row, at) => html`<tr key=${row.step}>
      <th scope="row"><span class="step-number" aria-hidden="true">${row.step}</span><${Outside} text=${row.name} /></th>
      <td class="way-bar"><span class="track" aria-hidden="true"><span class="bar-fill" style=${{ width: `${100 * (row.share ?? 0)}%` }}></span></span><b>${count(row.people)}</b> <span class="quiet">${figure(row.share, "share")}</span></td>
      <td class="quiet way-lost">${at ? html`<b>−${count(rows[at - 1].lost ?? 0)}</b> (${figure(rows[at - 1].lost_share, "share")})${row.seconds != null && html` · ${duration(row.seconds)} on median`}` : "the first step"}</td>
    </tr>`)}</tbody></table>`;
}

function Notes({ rows, hours, zone }) {
  const anonymous = rows[0].anonymous;
  return html`<p class="quiet notes">${anonymous > 0 && hours > 24 ? `${count(anonymous)} of those who began have no user id: they are known for one day of the site, so a way of theirs over more days cannot be seen. ` : ""}Days by ${clean(zone, 60)}. The first step lies in the period; the others may lie behind it.</p>`;
}

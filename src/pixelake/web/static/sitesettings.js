// What is declared of one site: its zone, what Do Not Track does, its badge. Owners change it; it holds from then on.

import { explain, send } from "./api.js";
import { dayTime } from "./format.js";
import { Zones, useSite } from "./tag.js";
import { Failure, Skeleton, html, speak, useState } from "./ui.js";

const POLICIES = [
  ["anonymous", "count the hit, without user, visitor or city"],
  ["withhold", "keep nothing of the hit"],
  ["ignore", "count it like any other"],
];
const meaning = (policy) => POLICIES.find(([name]) => name === policy)?.[1] ?? policy;

/** The settings of a site; `saved()` is called when they were changed. */
export function SiteSettings({ site, owner, saved }) {
  const { told, fault, again } = useSite(site);
  if (!told) return html`<div class="form"><${Failure} text=${fault} again=${again} />${!fault && html`<${Skeleton} rows=${6} />`}</div>`;
  if (!told.known) return html`<p class="form">This is no site yet: it becomes one with its first hit, or when an owner adds it.</p>`;
  return owner ? html`<${Form} key=${JSON.stringify(told)} told=${told} saved=${() => (again(), saved())} />` : html`<${Shown} told=${told} />`;
}

function Shown({ told }) {
  return html`<dl class="form declared">
    <div><dt>Time zone</dt><dd>${told.zone}</dd></div>
    <div><dt>Do Not Track and Global Privacy Control</dt><dd>${meaning(told.policy === "default" ? told.default_policy : told.policy)}</dd></div>
    <div><dt>Badge</dt><dd>${told.badge ? "on" : "off"}</dd></div>
  </dl>`;
}

function Form({ told, saved }) {
  const [zone, setZone] = useState(told.zone);
  const [policy, setPolicy] = useState(told.policy);
  const [badge, setBadge] = useState(told.badge);
  const [fault, setFault] = useState("");
  const [done, setDone] = useState(false);
  const changed = { ...(zone.trim() !== told.zone ? { zone: zone.trim() } : {}), ...(policy !== told.policy ? { policy } : {}), ...(badge !== told.badge ? { badge } : {}) };
  const save = async (event) => {
    event.preventDefault();
    try {
      await send("PATCH", "site", { site: told.site, ...changed });
      speak("Saved.");
      setDone(true);
      saved();
    } catch (error) {
      setFault(explain(error));
    }
  };
  return html`<form class="form" onSubmit=${save}>
    <label>Time zone <input name="zone" required list="its-zones" maxlength="60" autocomplete="off" spellcheck="false" value=${zone} onInput=${(event) => setZone(event.target.value)} aria-describedby="its-zone-help" /></label>
    <${Zones} id="its-zones" />
    <p class="quiet" id="its-zone-help">Another zone holds from now on; days that are over stay as they were. The first look at a long period takes longer then, until its days were counted anew.</p>
    ${told.zones.length > 1 && html`<${History} zones=${told.zones} />`}
    <label>Do Not Track and Global Privacy Control <select name="policy" value=${policy} onChange=${(event) => setPolicy(event.target.value)}>
      <option value="default">as for all sites: ${meaning(told.default_policy)}</option>
      ${POLICIES.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
    </select></label>
    <label><input name="badge" type="checkbox" checked=${badge} onChange=${(event) => setBadge(event.target.checked)} /> It has a badge</label>
    <${Failure} text=${fault} />
    <div class="actions"><span class="quiet" role="status">${done && !Object.keys(changed).length ? "Saved." : ""}</span><button type="submit" class="button primary" disabled=${!Object.keys(changed).length}>Save</button></div>
  </form>`;
}

function History({ zones }) {
  return html`<ul class="history quiet">${zones.map(({ from, zone }) => html`<li key=${from}>${zone} ${from ? `since ${dayTime(from / 1000, zone)}` : "from the first hit on"}</li>`)}</ul>`;
}

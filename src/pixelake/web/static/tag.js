// A site's first steps: its name and zone, what to paste where, and the wait for its first hit. And boards that are empty.

import { go, link, parameters } from "./address.js";
import { explain, get, send } from "./api.js";
import { Arrival } from "./arrival.js";
import { zone as here } from "./format.js";
import { Failure, Outside, Skeleton, clean, html, speak, useEffect, useState } from "./ui.js";

// --- a new site -----------------------------------------------------------------------------------

/** What is the host of a pasted address, and any other name as it is. */
export function nameOf(text) {
  const told = text.trim();
  if (!told.includes("/")) return told;
  try {
    return new URL(told.includes("://") ? told : `https://${told}`).host;
  } catch {
    return told;
  }
}

/** All zones that this browser knows, to choose from. */
export function Zones({ id }) {
  return html`<datalist id=${id}>${(Intl.supportedValuesOf?.("timeZone") ?? []).map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>`;
}

/** The form for a site's name and zone; `done(site)` is called with what the server made of it. */
export function AddSite({ done }) {
  const [name, setName] = useState("");
  const [zone, setZone] = useState(here);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const add = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const site = await send("POST", "site", { site: nameOf(name), ...(zone.trim() ? { zone: zone.trim() } : {}) });
      speak(site.new ? "The site was added." : "This site was there already.");
      done(site);
    } catch (error) {
      setFault(explain(error));
    }
    setBusy(false);
  };
  return html`<form class="form" onSubmit=${add}>
    <label>Name <input name="site" required maxlength="253" autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="shop.example" ref=${focus} value=${name} onInput=${(event) => setName(event.target.value)} aria-describedby="name-help" /></label>
    <p class="quiet" id="name-help">The host of its pages, or a short name for mails and apps.</p>
    <label>Time zone <input name="zone" list="all-zones" maxlength="60" autocomplete="off" spellcheck="false" value=${zone} onInput=${(event) => setZone(event.target.value)} aria-describedby="zone-help" /></label>
    <p class="quiet" id="zone-help">Its days begin at midnight there.</p>
    <${Zones} id="all-zones" />
    <${Failure} text=${fault} />
    <div class="actions"><button type="submit" class="button primary" disabled=${busy}>Add the site</button></div>
  </form>`;
}

const focus = (input) => input?.focus();

// --- what to paste --------------------------------------------------------------------------------

const KINDS = [
  { kind: "page", label: "Page", where: "Paste it into every page, best at the end of the body. It counts without a script and sets no cookie." },
  { kind: "email", label: "E-mail", where: "Paste it into the HTML of the mail, at its end. Mail proxies are told apart from readers." },
  { kind: "amp", label: "AMP", where: "Paste it into the body of the AMP document, which allows this component alone." },
  { kind: "image", label: "Plain image", where: "For editors and feeds that take an image and drop what they do not know of it." },
  { kind: "noscript", label: "noscript", where: "For pages whose own script sends the hits: this counts who does not run it, and nobody twice." },
  { kind: "get", label: "Address", where: "Whatever asks for this address is counted: curl, an app, a server. More goes into its query, as &event=cart&value=12.50." },
  { kind: "badge", label: "Badge", where: "An image that people see, with a count of its loads, for READMEs and footers. It also needs the badge to be on, in the settings of the site." },
];

/** The tags of a site by what they are for, each with a button that copies it. */
export function Tags({ site, told }) {
  const [at, setAt] = useState("page");
  const chosen = KINDS.find(({ kind }) => kind === at);
  const tag = told.tags[at] ?? "";
  return html`<div class="tags">
    <div class="tag-kinds" role="tablist" aria-label="What the tag is for" onKeyDown=${(key) => walk(key, at, setAt)}>${KINDS.filter(({ kind }) => told.tags[kind]).map(({ kind, label }) => html`<button key=${kind} id=${`kind-${kind}`} type="button" role="tab" aria-selected=${String(kind === at)} aria-controls="tag" tabindex=${kind === at ? 0 : -1} onClick=${() => setAt(kind)}>${label}</button>`)}</div>
    <div id="tag" role="tabpanel" aria-labelledby=${`kind-${at}`} tabindex="-1">
      <p class="quiet">${chosen.where}</p>
      <${Copied} text=${tag} label=${`The ${chosen.label} tag of ${clean(site, 80)}`} />
    </div>
    ${told.local && html`<p class="failed">Only this machine can follow this address. Name the one that others see with the setting <code>public_url</code>, then copy the tag again.</p>`}
  </div>`;
}

function walk(key, at, pick) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];
  if (!step) return;
  key.preventDefault();
  const tabs = [...key.currentTarget.querySelectorAll("[role=tab]")];
  const place = tabs.findIndex(({ id }) => id === `kind-${at}`);
  const next = tabs[(place + step + tabs.length) % tabs.length];
  pick(next.id.slice(5));
  next.focus();
}

/** A text to take along, whole, and a button that does so. */
export function Copied({ text, label }) {
  const [said, setSaid] = useState("");
  useEffect(() => setSaid(""), [text]);
  const take = async (event) => {
    const field = event.currentTarget.parentNode.querySelector("textarea");
    const done = await copy(text, field);
    setSaid(done ? "Copied" : "Press Ctrl+C");
    speak(done ? "Copied." : "It is selected: press Ctrl+C to copy it.");
  };
  return html`<div class="copied">
    <textarea readonly rows="3" wrap="soft" spellcheck="false" aria-label=${label} value=${text} onFocus=${(event) => event.target.select()}></textarea>
    <button type="button" class="button" onClick=${take}>${said || "Copy"}</button>
  </div>`;
}

/** Where the page has no clipboard (no HTTPS), the text is selected, and the old command tried. */
async function copy(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    field.focus();
    field.select();
    return document.execCommand("copy");
  }
}

/** What is declared of a site: { told, fault, again }. */
export function useSite(site) {
  const [found, setFound] = useState({ told: null, fault: "" });
  const look = () => get("site", { site }).then((told) => setFound({ told, fault: "" }), (error) => setFound({ told: null, fault: explain(error) }));
  useEffect(() => void look(), [site]);
  return { ...found, again: look };
}

/** The tags of a site, a hit to try it with, and the wait for the first one. */
export function Setup({ site, me }) {
  const { told, fault, again } = useSite(site);
  if (!told) return html`<div class="setup"><${Failure} text=${fault} again=${again} />${!fault && html`<${Skeleton} rows=${6} />`}</div>`;
  return html`<div class="setup">
    <${Tags} site=${site} told=${told} />
    <${Arrival} key=${site} site=${site} told=${told} me=${me} />
  </div>`;
}

// --- nothing to show ------------------------------------------------------------------------------

/**
 * What stands in place of figures: what is not there, and what to do about it. `about` is "first" (nothing ever
 * arrived), "period" or "filter"; without it, it is found out from the state.
 */
export function Empty({ state, me, about }) {
  const kind = about ?? (state.filter.length ? "filter" : "first");
  if (kind === "filter") return html`<${Nothing} title="Nothing fits these filters" text="No hit of this period passes all of them."><button type="button" class="button primary" onClick=${() => go({ filter: [] })}>Take the filters away</button><${Longer} state=${state} /><//>`;
  if (kind === "period") return html`<${Nothing} title="Nothing in this period" text=${`Nothing arrived${state.site ? " for this site" : ""} in it.`}><${Longer} state=${state} /><${TagLink} state=${state} /><//>`;
  return html`<${First} state=${state} me=${me} />`;
}

function Nothing({ title, text, children }) {
  return html`<section class="card empty"><h2>${title}</h2><p>${text}</p><div class="choices-row">${children}</div></section>`;
}

function Longer({ state }) {
  if (parameters(state).period === "12mo") return null;
  return html`<button type="button" class="button" onClick=${() => go({ period: "12mo", from: "", to: "" })}>Look at 12 months</button>`;
}

const TagLink = ({ state }) => state.site && html`<a class="button" href=${`${link("/sites")}#tag?${new URLSearchParams({ site: state.site })}`}>See its tag</a>`;

/** The very first steps: a site is named, its tag pasted, its first hit seen. */
function First({ state, me }) {
  const [added, setAdded] = useState("");
  const known = useNames(me);
  const site = state.site || added;
  const owner = me?.role === "owner";
  if (!site && known == null) return html`<section class="card empty" aria-busy="true"><${Skeleton} rows=${4} /></section>`;
  if (!site && known.length) return html`<${Waiting} known=${known} owner=${owner} />`;
  if (!site) return html`<section class="card empty first">
    <h2>Which site do you want to count?</h2>
    <p>Name it, paste its tag, and its first hit is shown here.</p>
    ${owner ? html`<${AddSite} done=${({ site: name }) => setAdded(name)} />` : html`<p class="quiet">An owner of this installation can add one.</p>`}
  </section>`;
  return html`<section class="card empty first">
    <h2>Nothing has arrived for <${Outside} text=${site} most=${80} /> yet</h2>
    <p>Paste its tag where you want to count; the first hit is shown here as soon as it comes.</p>
    <${Setup} site=${site} me=${me} />
  </section>`;
}

/** The sites that were declared and have no hit yet. */
function Waiting({ known, owner }) {
  return html`<section class="card empty first">
    <h2>Nothing has arrived yet</h2>
    <p>${known.length === 1 ? "There is a site that waits for its first hit:" : "These sites wait for their first hit:"}</p>
    <ul class="waiting-sites">${known.map((name) => html`<li key=${name}><a class="button" href=${link("/", { site: name })}><${Outside} text=${name} most=${80} /></a></li>`)}</ul>
    ${owner && html`<p><a href=${`${link("/sites")}#add`}>Add another site</a></p>`}
  </section>`;
}

function useNames() {
  const [names, setNames] = useState(null);
  useEffect(() => {
    let wanted = true;
    get("site-names", { limit: 20 }).then((found) => wanted && setNames(found.names), () => wanted && setNames([]));
    return () => (wanted = false);
  }, []);
  return names;
}

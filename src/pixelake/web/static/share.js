// Read-only links to the dashboard of one site: makes them, shows each once, lists and removes them.

import { explain, get, send } from "./api.js";
import { day } from "./format.js";
import { Copied } from "./tag.js";
import { Dialog, Failure, Outside, Skeleton, clean, html, speak, useEffect, useState } from "./ui.js";

const EXPIRIES = [["", "never"], ["1", "in a day"], ["7", "in a week"], ["30", "in 30 days"], ["365", "in a year"]];

/** The links of a site: { links, fault, look }. */
function useLinks(site) {
  const [found, setFound] = useState({ links: null, fault: "" });
  const look = () => get("shares").then((all) => setFound({ links: all.filter((each) => each.site === site), fault: "" }), (error) => setFound((known) => ({ ...known, fault: explain(error) })));
  useEffect(() => void look(), [site]);
  return { ...found, look };
}

/** For owners: a new link to the site's dashboard, and those that there are. `done` is called when it closes. */
export function ShareDialog({ site, done }) {
  const { links, fault, look } = useLinks(site);
  const [made, setMade] = useState(null);
  return html`<${Dialog} title=${`Share ${clean(site, 60)}`} done=${done}>
    <div class="scroll share">
      ${made ? html`<${Made} made=${made} more=${() => setMade(null)} />` : html`<${NewLink} site=${site} made=${(share) => (setMade(share), look())} />`}
      <section class="links" aria-label="Links that there are">
        <h3>Links that there are</h3>
        <${Failure} text=${fault} again=${look} />
        ${!links && !fault && html`<${Skeleton} rows=${2} />`}
        ${links && (links.length ? html`<ul>${links.map((each) => html`<${Link} key=${each.id} share=${each} look=${look} />`)}</ul>` : html`<p class="nothing">None of this site yet.</p>`)}
      </section>
    </div>
  <//>`;
}

/** Origins as they are written: by lines, blanks or commas. */
const origins = (text) => text.split(/[\s,]+/).filter(Boolean);

function NewLink({ site, made }) {
  const [name, setName] = useState("");
  const [days, setDays] = useState("30");
  const [password, setPassword] = useState("");
  const [framed, setFramed] = useState(false);
  const [ancestors, setAncestors] = useState("");
  const [fault, setFault] = useState("");
  const make = async (event) => {
    event.preventDefault();
    const more = { ...(days ? { days: Number(days) } : {}), ...(password ? { password } : {}), ...(framed ? { ancestors: origins(ancestors) } : {}) };
    try {
      made(await send("POST", "shares", { name: name.trim() || `Link to ${site}`.slice(0, 60), site, ...more }));
      speak("The link was made.");
    } catch (error) {
      setFault(explain(error));
    }
  };
  return html`<form class="form" onSubmit=${make}>
    <p class="quiet">Whoever has the link sees the figures of this site, without a log-in: sums and lists, no single events and no ids.</p>
    <label>Name <input name="name" maxlength="60" autocomplete="off" placeholder="For whom it is" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>It ends <select name="days" value=${days} onChange=${(event) => setDays(event.target.value)}>${EXPIRIES.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select></label>
    <label>Password <input name="password" type="password" maxlength="200" autocomplete="new-password" placeholder="none" value=${password} onInput=${(event) => setPassword(event.target.value)} /></label>
    <label><input name="framed" type="checkbox" checked=${framed} onChange=${(event) => setFramed(event.target.checked)} /> It may be embedded in a page</label>
    ${framed && html`<label>In pages of <textarea name="ancestors" required rows="2" spellcheck="false" placeholder="https://www.example.com" value=${ancestors} onInput=${(event) => setAncestors(event.target.value)}></textarea></label>`}
    <${Failure} text=${fault} />
    <div class="actions"><button type="submit" class="button primary">Make the link</button></div>
  </form>`;
}

/** As text in an attribute. */
const quoted = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

function Made({ made, more }) {
  const address = new URL(made.address, location.origin).href;
  const frame = `<iframe src="${quoted(address)}" title="${quoted(`Visitors of ${made.site}`)}" loading="lazy" width="100%" height="1600" style="border:0"></iframe>`;
  return html`<div class="form made">
    <p><b>The link, shown this once</b></p>
    <${Copied} text=${address} label="The link" />
    ${made.ancestors.length > 0 && html`<p><b>To embed it</b></p><${Copied} text=${frame} label="The frame to paste" />`}
    <div class="actions"><button type="button" class="button" onClick=${more}>Make another</button></div>
  </div>`;
}

function Link({ share, look }) {
  const [fault, setFault] = useState("");
  const [sure, setSure] = useState(false);
  const remove = () => {
    if (!sure) return setSure(true);
    send("DELETE", `shares/${encodeURIComponent(share.id)}`).then(() => (speak("The link was removed."), look()), (error) => setFault(explain(error)));
  };
  const facts = [share.expired ? "has ended" : share.expires ? `until ${day(share.expires / 1000)}` : "never ends", share.password && "with a password", share.ancestors.length && "may be embedded"].filter(Boolean);
  return html`<li class="share-link">
    <div><${Outside} text=${share.name} most=${60} /> <span class="quiet">${facts.join(", ")}</span></div>
    <button type="button" class="button danger" aria-label=${`${sure ? "Yes, remove" : "Remove"} ${clean(share.name, 60)}`} onClick=${remove}>${sure ? "Yes, remove" : "Remove"}</button>
    <${Failure} text=${fault} />
  </li>`;
}

// Which site: the busiest in a list, the others by a search. Names are from outside.

import { explain, get } from "./api.js";
import { Failure, Outside, clean, html, useEffect, useRef, useState } from "./ui.js";

const SHOWN = 12;
const TYPING = 150; // ms after a key

/** A button with the name of the site; below it, when it is open, a search and the sites. */
export function SitePicker({ site, all, pick }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    const away = (event) => box.current?.contains(event.target) || setOpen(false);
    const wanted = () => setOpen(true);
    document.addEventListener("pointerdown", away);
    addEventListener("picksite", wanted);
    return () => (document.removeEventListener("pointerdown", away), removeEventListener("picksite", wanted));
  }, []);
  const close = () => (setOpen(false), box.current.querySelector("button").focus());
  return html`<div class="menu sitepicker" ref=${box} onKeyDown=${(key) => key.key === "Escape" && open && close()}>
    <button type="button" class="button" aria-haspopup="dialog" aria-expanded=${String(open)} aria-label=${`Site: ${site ? clean(site, 80) : "all sites"}`} onClick=${() => setOpen(!open)}><span class="outside" dir="auto">${site ? clean(site, 60) : "All sites"}</span><span class="caret" aria-hidden="true"></span></button>
    ${open && html`<${Choices} site=${site} all=${all} pick=${(name) => (close(), pick(name))} />`}
  </div>`;
}

function Choices({ site, all, pick }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState(null);
  const [fault, setFault] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => get("site-names", { search: text, limit: SHOWN }, { signal: stop.signal }).then((answer) => (setFound(answer), setFault("")), (error) => setFault(explain(error))), text ? TYPING : 0);
    return () => (clearTimeout(timer), stop.abort());
  }, [text]);
  const names = found?.names ?? [];
  return html`<div class="sheet choices" role="dialog" aria-label="Choose a site">
    <input type="search" aria-label="Find a site" placeholder=${found ? `Find one of ${found.total.toLocaleString()}` : "Find a site"} maxlength="255" autocomplete="off" spellcheck="false" autofocus ref=${focus} value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${(key) => key.key === "Enter" && names.length && pick(names[0])} />
    <${Failure} text=${fault} />
    <ul>
      ${!text && all && html`<li><button type="button" aria-pressed=${String(!site)} onClick=${() => pick("")}>All sites</button></li>`}
      ${names.map((name) => html`<li key=${name}><button type="button" aria-pressed=${String(name === site)} onClick=${() => pick(name)}><${Outside} text=${name} /></button></li>`)}
      ${found && !names.length && html`<li class="quiet">No site has this in its name.</li>`}
    </ul>
    <a class="more" href="/sites">All sites, and add one</a>
  </div>`;
}

const focus = (input) => input?.focus();

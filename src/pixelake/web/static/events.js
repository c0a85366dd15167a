// The page of single events: a table over the question `newest`, and one over what was refused. Each row opens its panel.

import { Detail } from "./detail.js";
import { Events } from "./eventlist.js";
import { place, usePlace } from "./place.js";
import { Refusals } from "./refusals.js";
import { mount } from "./shell.js";
import { html, useState } from "./ui.js";

const TABS = [["", "Events"], ["rejects", "Rejects"]];

function Page({ me, state }) {
  const { tab = "" } = usePlace();
  const [at, setAt] = useState({});
  if (me.role === "share") return html`<p class="card nothing lone">A shared link shows figures, and no single events.</p>`;
  const seesAll = !me.sites;
  const shown = seesAll && tab === "rejects" ? "rejects" : "";
  return html`
    <h1 class="spoken">Events</h1>
    <section class="card events" aria-label=${shown ? "Rejects" : "Events"}>
      ${seesAll && html`<${Tabs} at=${shown} />`}
      ${shown ? html`<${Refusals} state=${state} told=${setAt} />` : html`<${Events} state=${state} told=${setAt} />`}
    </section>
    <${Detail} me=${me} site=${state.site} zone=${at.zone} />`;
}

function Tabs({ at }) {
  const move = (key) => {
    if (!["ArrowLeft", "ArrowRight"].includes(key.key)) return;
    key.preventDefault();
    const other = TABS.find(([name]) => name !== at)[0];
    place({ tab: other, search: "", reason: "" });
    key.currentTarget.querySelector(`[data-tab="${other}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Events or rejects" onKeyDown=${move}>${TABS.map(([name, label]) => html`<button key=${name} type="button" role="tab" data-tab=${name} id=${`tab-${name || "events"}`} aria-selected=${String(name === at)} aria-controls="rows" tabindex=${name === at ? 0 : -1} onClick=${() => place({ tab: name, search: "", reason: "" })}>${label}</button>`)}</div>`;
}

mount({ page: "events", title: "Events", main: Page, picks: true });

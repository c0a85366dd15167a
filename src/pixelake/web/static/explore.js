// Explore: one's own SQL, funnels, goals, the shop, cohorts. The tab and what it looks at are in the address.

import { Bar } from "./bar.js";
import { Cohorts } from "./cohorts.js";
import { Funnels } from "./funnels.js";
import { Goals } from "./goals.js";
import { put, useHash } from "./hash.js";
import { mount } from "./shell.js";
import { Shop } from "./shop.js";
import { Sql } from "./sqlpage.js";
import { html } from "./ui.js";

const TABS = [
  { tab: "sql", label: "SQL", body: Sql },
  { tab: "funnels", label: "Funnels", body: Funnels, picks: true },
  { tab: "goals", label: "Goals", body: Goals, picks: true },
  { tab: "shop", label: "Shop", body: Shop, picks: true },
  { tab: "cohorts", label: "Cohorts", body: Cohorts, picks: true },
];

function Explore({ me, state }) {
  const { tab, given } = useHash();
  const at = TABS.find((each) => each.tab === tab) ?? TABS[0];
  return html`<h1 class="spoken">Explore</h1>
    <${Tabs} at=${at.tab} />
    ${at.picks && html`<${Bar} state=${state} />`}
    <div class="explore" role="tabpanel" id="explored" aria-labelledby=${`tab-${at.tab}`} tabindex="-1" key=${at.tab}><${at.body} me=${me} state=${state} given=${given} /></div>`;
}

function Tabs({ at }) {
  const move = (key) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];
    if (!step) return;
    key.preventDefault();
    const next = TABS[(TABS.findIndex(({ tab }) => tab === at) + step + TABS.length) % TABS.length].tab;
    put(next);
    document.getElementById(`tab-${next}`).focus();
  };
  return html`<div class="sections" role="tablist" aria-label="Explore" onKeyDown=${move}>${TABS.map(({ tab, label }) => html`<button key=${tab} id=${`tab-${tab}`} type="button" role="tab" aria-selected=${String(tab === at)} aria-controls="explored" tabindex=${tab === at ? 0 : -1} onClick=${() => put(tab)}>${label}</button>`)}</div>`;
}

mount({ page: "explore", title: "Explore", main: Explore, picks: false });

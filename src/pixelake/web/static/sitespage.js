// Sites: all of them with their figures side by side, one more, and what is declared of each.

import { link, parameters } from "./address.js";
import { useAnswer, useTick } from "./asking.js";
import { count, dayTime, figure } from "./format.js";
import { put, useHash } from "./hash.js";
import { PeriodPicker } from "./period.js";
import { Change } from "./rows.js";
import { mount } from "./shell.js";
import { SiteSettings } from "./sitesettings.js";
import { Spark } from "./sparks.js";
import { AddSite, Setup } from "./tag.js";
import { Dialog, Failure, Menu, Outside, Skeleton, clean, html, useEffect, useState } from "./ui.js";

const SHOWN = 20;
const TYPING = 200; // ms after a key
const ORDERS = [["views", "Most views"], ["visitors", "Most visitors"], ["name", "By name"]];

/** What the address says of the list: { search, order, page }. */
const listed = (given) => ({ search: given.get("search") ?? "", order: ORDERS.some(([name]) => name === given.get("order")) ? given.get("order") : "views", page: Math.max(1, Math.trunc(Number(given.get("page"))) || 1) });

function show(list, change) {
  const { search, order, page } = { ...list, page: 1, ...change };
  put("list", [["search", search], ["order", order === "views" ? "" : order], ["page", page > 1 ? String(page) : ""]], { replace: "search" in change });
}

function Sites({ me, state }) {
  const { tab, given } = useHash();
  const [list, setList] = useState(() => listed(given));
  useEffect(() => void (["", "list"].includes(tab) && setList(listed(given))), [location.hash]);
  const tick = useTick();
  const owner = me.role === "owner";
  const asked = { ...parameters({ ...state, site: "", filter: [] }), compare: "true", search: list.search, order: list.order, limit: SHOWN, skip: (list.page - 1) * SHOWN };
  const { answer, fault, old, again } = useAnswer("each-site", asked, tick);
  const back = () => (show(list, { page: list.page }), again());
  const none = answer && !answer.total && !list.search;
  return html`<div class="sites-head">
      <h1>Sites</h1>
      ${!none && html`<${Tools} list=${list} state=${state} total=${answer?.total} />`}
      ${owner && !none && html`<button type="button" class="button primary add" onClick=${() => put("add")}>Add a site</button>`}
    </div>
    <${Failure} text=${fault} again=${again} />
    ${none ? html`<${None} owner=${owner} again=${again} />` : html`<${List} answer=${answer} old=${old} list=${list} state=${state} owner=${owner} fault=${fault} />`}
    ${tab === "add" && owner && html`<${Dialog} key="add" title="Add a site" done=${back}><${AddSite} done=${({ site }) => (again(), put("tag", [["site", site]], { replace: true }))} /><//>`}
    ${tab === "tag" && given.get("site") && html`<${Dialog} key=${`tag ${given.get("site")}`} class="wide" title=${`The tag of ${clean(given.get("site"), 80)}`} done=${back}><${Setup} site=${given.get("site")} me=${me} /><//>`}
    ${tab === "settings" && given.get("site") && html`<${Dialog} key=${`settings ${given.get("site")}`} title=${`Settings of ${clean(given.get("site"), 80)}`} done=${back}><${SiteSettings} site=${given.get("site")} owner=${owner} saved=${again} /><//>`}`;
}

function Tools({ list, state, total }) {
  const [text, setText] = useState(list.search);
  useEffect(() => setText(list.search), [list.search]);
  useEffect(() => {
    if (text === list.search) return;
    const timer = setTimeout(() => show(list, { search: text }), TYPING);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="sites-tools" role="group" aria-label="Which sites">
    <input type="search" aria-label="Find a site" placeholder=${total ? `Find one of ${count(total)}` : "Find a site"} maxlength="255" autocomplete="off" spellcheck="false" value=${text} onInput=${(event) => setText(event.target.value)} />
    <select aria-label="Order" value=${list.order} onChange=${(event) => show(list, { order: event.target.value })}>${ORDERS.map(([name, label]) => html`<option key=${name} value=${name}>${label}</option>`)}</select>
    <${PeriodPicker} state=${state} />
  </div>`;
}

/** Before there is any site: the form itself, and no empty table. */
function None({ owner, again }) {
  return html`<section class="card empty first">
    <h2>Which site do you want to count first?</h2>
    <p>Name it, paste its tag into a page or a mail, and its first hit is shown here as soon as it comes.</p>
    ${owner ? html`<${AddSite} done=${({ site }) => (again(), put("tag", [["site", site]]))} />` : html`<p class="quiet">You see no site yet: an owner of this installation can give you some.</p>`}
  </section>`;
}

// --- the list -------------------------------------------------------------------------------------

function List({ answer, old, list, state, owner, fault }) {
  if (!answer) return html`<section class="card sites-card" aria-busy="true">${!fault && html`<${Skeleton} rows=${12} />`}</section>`;
  if (!answer.rows.length) return html`<section class="card sites-card"><p class="nothing">No site has this in its name. <button type="button" class="link" onClick=${() => show(list, { search: "" })}>Show all</button></p></section>`;
  return html`<section class="card sites-card" aria-label="Sites and their figures" data-old=${String(old)}>
    <div class="scroll"><table class="table sites-table">
      <thead><tr>
        <th scope="col">Site</th>
        <th scope="col" class="number" title="People seen in the last 5 minutes">Now</th>
        <th scope="col" class="number">Visitors</th>
        <th scope="col" class="number">Views</th>
        <th scope="col">Views by day</th>
        <th scope="col" class="number" title="Machines, repeats and prefetches: the share of everything that arrived">Left out</th>
        <th scope="col">Last hit</th>
        <th scope="col"><span class="spoken">More</span></th>
      </tr></thead>
      <tbody>${answer.rows.map((row) => html`<${Row} key=${row.site} row=${row} owner=${owner} state=${state} />`)}</tbody>
    </table></div>
    <${Pages} list=${list} total=${answer.total} />
  </section>`;
}

const board = (site) => link("/", { site, filter: [] });
const HARMLESS = "a, button, input, [role=menu]";

function Row({ row, owner }) {
  const open = (click) => click.target.closest(HARMLESS) || getSelection()?.toString() || location.assign(board(row.site));
  const added = row.visitors == null;
  const visitors = added ? row.daily_visitors : row.visitors;
  const label = `Views of ${row.days.length} days, at most ${count(Math.max(...row.days))} on one`;
  return html`<tr class="site-row" onClick=${open}>
    <th scope="row"><a class="site-name" href=${board(row.site)}><${Outside} text=${row.site} most=${80} /></a><span class="quiet zone">${row.zone.replaceAll("_", " ")}</span></th>
    <td class="number" data-label="Now">${row.now > 0 ? html`<span class="now"><span class="dot" aria-hidden="true"></span>${count(row.now)}</span>` : html`<span class="quiet">0</span>`}</td>
    <td class="number" data-label="Visitors" title=${added ? "The visitors of each day, added up" : "Different people"}><b>${figure(visitors)}</b> <${Changed} share=${added || row.before_visitors == null ? row.change_daily_visitors : row.change_visitors} /></td>
    <td class="number" data-label="Views"><b>${figure(row.views)}</b> <${Changed} share=${row.change_views} /></td>
    <td class="line" data-label="By day"><${Spark} values=${row.days} label=${label} /></td>
    <td class="number" data-label="Left out">${figure(row.left_out, "share")}</td>
    <td class="last" data-label="Last hit"><${Last} at=${row.last} zone=${row.zone} views=${row.hits} /></td>
    <td class="more"><${RowMenu} site=${row.site} owner=${owner} /></td>
  </tr>`;
}

/** By how much it changed; nothing where nothing was before. */
const Changed = ({ share }) => (share == null ? html`<span class="change"></span>` : html`<${Change} share=${share} good=${1} />`);

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
const STEPS = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [Infinity, 86400, "day"]];

/** How long ago the last hit was, of those that the live store has; the moment itself when it is pointed at. */
function Last({ at, zone, views }) {
  if (at == null) return html`<span class="quiet">${views ? "days ago" : "none in the period"}</span>`;
  const seconds = Math.max(0, Date.now() / 1000 - at / 1e6);
  const [, unit, name] = STEPS.find(([most]) => seconds < most);
  return html`<time dateTime=${new Date(at / 1000).toISOString()} title=${`${dayTime(at / 1000, zone)}, ${zone}`}>${relative.format(-Math.floor(seconds / unit), name)}</time>`;
}

function RowMenu({ site, owner }) {
  const choices = [
    { label: "Open its dashboard", act: () => location.assign(board(site)) },
    { label: "Its tag", act: () => put("tag", [["site", site]]) },
    { label: owner ? "Settings …" : "What is declared", act: () => put("settings", [["site", site]]) },
  ];
  return html`<${Menu} class="tools-menu" label=${`More of ${clean(site, 80)}`} choices=${choices} />`;
}

function Pages({ list, total }) {
  const pages = Math.ceil(total / SHOWN);
  if (pages < 2) return null;
  const first = (list.page - 1) * SHOWN;
  return html`<nav class="pages" aria-label="Pages of the list">
    <button type="button" class="button" disabled=${list.page <= 1} onClick=${() => show(list, { page: list.page - 1 })}>Before</button>
    <span class="quiet">${count(first + 1)} to ${count(Math.min(total, first + SHOWN))} of ${count(total)}</span>
    <button type="button" class="button" disabled=${list.page >= pages} onClick=${() => show(list, { page: list.page + 1 })}>Next</button>
  </nav>`;
}

mount({ page: "sites", title: "Sites", main: Sites, picks: false });

// What stands around every page: brand, pages, site, account; what needs a person; the sums that are always in sight.

import { SHARE, explain, send, whoami } from "./api.js";
import { go, link, useAddress } from "./address.js";
import { Bar } from "./bar.js";
import { Keys } from "./keys.js";
import { LiveFeed, useLive } from "./live.js";
import { Notices } from "./notices.js";
import { PAGES } from "./pages.js";
import { SitePicker } from "./sitepicker.js";
import { Trust, TrustMark } from "./trust.js";
import { Failure, Menu, clean, html, render, useEffect, useState } from "./ui.js";
import { Wrong, useWrong } from "./wrong.js";

function Nav({ page }) {
  return html`<nav class="nav" aria-label="Pages">${PAGES.map((each) => html`<a key=${each.page} href=${link(each.path)} aria-current=${each.page === page ? "page" : undefined}>${each.label}</a>`)}</nav>`;
}

const STATES = { live: "Live", paused: "Paused", waiting: "… now", lost: "Reconnecting" };

/** How many are there now. Its dot beats once when that changes: a page that nobody looks at costs nothing. */
function LiveDot() {
  const { state, now } = useLive();
  const visitors = now?.visitors_5;
  const text = state === "live" && visitors != null ? `${visitors.toLocaleString()} now` : STATES[state];
  return html`<a class="live" data-state=${state} href=${SHARE ? undefined : link("/live")} title="People seen in the last 5 minutes"><span key=${text} class="dot" aria-hidden="true"></span>${text}</a>`;
}

function Account({ me }) {
  const [fault, setFault] = useState("");
  const leave = () => send("POST", "logout").then(() => location.assign("/login"), (error) => setFault(explain(error)));
  const choices = [
    { label: "Account and access", act: () => location.assign("/account") },
    { label: "Keyboard shortcuts", note: "?", act: () => dispatchEvent(new Event("shortcuts")) },
    { label: "Log out", act: leave },
  ];
  return html`<${Menu} class="account" label="Account" text=${html`<span class="face" aria-hidden="true">${(me.name || me.role || "?").slice(0, 1).toUpperCase()}</span>`} choices=${choices} /><${Failure} text=${fault} />`;
}

function Header({ page, site, me }) {
  return html`<header class="top"><div class="wrap">
    <a class="brand" aria-label="pixelake" href=${link("/")}><img src="/static/mark.svg" alt="" width="26" height="26" /><span>pixelake</span></a>
    ${!SHARE && html`<${Nav} page=${page} />`}
    <div class="right">
      ${SHARE ? html`<b class="shared">${me.sites?.[0]}</b>` : html`<${SitePicker} site=${site} all=${me.sites == null} pick=${(site) => go({ site })} />`}
      ${me.sites == null && html`<${TrustMark} />`}
      <${LiveDot} />
      ${!SHARE && html`<${Account} me=${me} />`}
    </div>
  </div></header>`;
}

function Page({ page, title, main: Main, picks }) {
  const state = useAddress();
  const [me, setMe] = useState(null);
  const [fault, setFault] = useState(null);
  const wrong = useWrong();
  const look = () => whoami().then((found) => (setMe(found), setFault(null)), (error) => (setFault(explain(error)), setTimeout(look, 2000)));
  useEffect(() => void look(), []);
  useEffect(() => void (document.title = [title, clean(state.site, 80), "pixelake"].filter(Boolean).join(" · ")), [state.site]);
  if (!me) return html`<main id="main" class="wrap" aria-busy=${String(!fault)}><${Failure} text=${fault && `${fault} It is asked again every two seconds.`} /></main>`;
  const site = state.site || (me.sites?.[0] ?? "");
  return html`<${LiveFeed} site=${site} sums=${me.sites == null}>
    <a class="skip" href="#main">Skip to the figures</a>
    <${Header} page=${page} site=${site} me=${me} />
    <${Notices} />
    ${picks && html`<${Bar} state=${state} page=${page} />`}
    <main id="main" class="wrap page-${page}" tabindex="-1">${wrong ? html`<${Wrong} error=${wrong} me=${me} />` : html`<${Main} me=${me} state=${{ ...state, site }} />`}</main>
    <footer class="wrap foot">${me.sites == null && html`<${Trust} />`}</footer>
    ${!SHARE && html`<${Keys} page=${page} />`}
  <//>`;
}

/** Draws a page into the document. */
export function mount(options) {
  render(html`<${Page} ...${options} />`, document.getElementById("page"));
}

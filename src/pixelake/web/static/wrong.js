// What is wrong with the address itself: told once, in the place of a page of panels that all cannot be answered, with what mends it.

import { go, link, read } from "./address.js";
import { Refused, SHARE, explain } from "./api.js";
import { coded, html, useEffect, useState } from "./ui.js";

const REFUSALS = [400, 403];
const SPAN = { period: "", from: "", to: "", interval: "" };
const MENDS = {
  filter: ["Take all filters away", { filter: [] }],
  period: ["Look at the last 30 days", SPAN],
  from: ["Look at the last 30 days", SPAN],
  to: ["Look at the last 30 days", SPAN],
  zone: ["Use the site's own time zone", { zone: "" }],
  interval: ["Choose by the length of the period", { interval: "" }],
  compare: ["Leave the comparison out", { compare: "" }],
  people: ["Count people alone", { people: "" }],
};

/** Says that a question was refused, if that is the fault of what the address has: others go on as they are. */
export function blame(error, asked) {
  const name = error instanceof Refused && REFUSALS.includes(error.status) ? error.parameter : "";
  const given = read()[name];
  if (given?.length && String(given) === String(asked?.[name])) dispatchEvent(new CustomEvent("wrong", { detail: error }));
}

/** What is wrong with the address; null again as soon as another one is asked for: what is behind the `#` is not asked. */
export function useWrong() {
  const [error, setError] = useState(null);
  useEffect(() => {
    let blamed = null;
    const told = ({ detail }) => ((blamed = location.search), setError(detail));
    const other = () => location.search !== blamed && setError(null);
    addEventListener("wrong", told);
    for (const kind of ["popstate", "address"]) addEventListener(kind, other);
    return () => (removeEventListener("wrong", told), ["popstate", "address"].forEach((kind) => removeEventListener(kind, other)));
  }, []);
  return error;
}

/** The sentence, and the way on. `me`: who looks. */
export function Wrong({ error, me }) {
  const sees = me.sites?.[0] ?? "";
  const site = [sees ? "Look at your own site" : "Look at all sites", { site: SHARE ? "" : sees }];
  const [label, change] = MENDS[error.parameter] ?? site;
  return html`<section class="card wrong" role="alert">
    <h1>This address cannot be shown</h1>
    <p>${coded(explain(error))}</p>
    <p><button type="button" class="button primary" onClick=${() => go(change, { replace: true })}>${label}</button>
    ${error.parameter === "site" && !SHARE ? html` <a class="button" href=${link("/sites", { site: "" })}>See which sites there are</a>` : html` <a class="button" href=${SHARE || "/"}>Begin anew</a>`}</p>
  </section>`;
}

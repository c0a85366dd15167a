// Shared links: one site each, for anybody who has the link. For owners.

import { Once, names, useList } from "./accountlist.js";
import { explain } from "./api.js";
import { day } from "./format.js";
import { Sure } from "./sure.js";
import { Dialog, Failure, Outside, Skeleton, html, useState } from "./ui.js";

function Form({ save, done }) {
  const [fault, setFault] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    const body = { name: given.name, site: given.site, days: given.days ? Number(given.days) : null, password: given.password || null, ancestors: names(given.ancestors) ?? [] };
    try {
      await save(body);
      done();
    } catch (error) {
      setFault(explain(error));
    }
  };
  return html`<${Dialog} title="A new shared link" done=${done}><form class="form" onSubmit=${submit}>
    <p class="quiet">Anybody who has the link sees the sums and lists of one site, and who is there now: no single events, no ids, no properties.</p>
    <${Failure} text=${fault} />
    <label>What it is for <input name="name" autocomplete="off" maxlength="80" required /></label>
    <label>Site <input name="site" autocomplete="off" spellcheck="false" maxlength="253" required value=${new URLSearchParams(location.search).get("site") ?? ""} /></label>
    <label>It expires after <select name="days"><option value="">never</option><option value="1">a day</option><option value="7">a week</option><option value="30">30 days</option><option value="365">a year</option></select></label>
    <label>Password (empty: none) <input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="1000" /></label>
    <label>Pages that may hold it in a frame, such as https://www.example.org (empty: none) <input name="ancestors" autocomplete="off" spellcheck="false" /></label>
    <div class="actions"><button type="button" class="button" onClick=${done}>Cancel</button><button class="button primary">Make the link</button></div>
  </form><//>`;
}

const about = (share) => [share.expired ? "expired" : share.expires ? `until ${day(share.expires / 1000)}` : "for ever", share.password && "with a password", share.ancestors.length && `in frames of ${share.ancestors.join(", ")}`].filter(Boolean).join(", ");

export function Shares() {
  const { rows, fault, add, remove } = useList("shares");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const [leaving, setLeaving] = useState(null);
  return html`<section class="card" aria-labelledby="shares">
    <div class="card-head"><h2 id="shares">Shared links</h2><button type="button" class="button" onClick=${() => setMaking(true)}>Share a site</button></div>
    <${Failure} text=${fault} />
    ${made && html`<${Once} title="The new link" text="It is told this once: only a hash of it is kept." secret=${location.origin + made.address} />`}
    ${!rows && !fault && html`<${Skeleton} rows=${2} />`}
    ${rows?.length === 0 && html`<p class="lead quiet">Nothing is shared.</p>`}
    ${rows?.length > 0 && html`<div class="scroll"><table class="table">
      <thead><tr><th scope="col">For</th><th scope="col">Site</th><th scope="col">Holds</th><th scope="col"><span class="spoken">Remove</span></th></tr></thead>
      <tbody>${rows.map((share) => html`<tr key=${share.id}>
        <th scope="row"><${Outside} text=${share.name} /></th>
        <td><${Outside} text=${share.site} /></td>
        <td><${Outside} text=${about(share)} /></td>
        <td class="ends"><button type="button" class="link" onClick=${() => setLeaving(share)}>Remove<span class="spoken"> ${share.name}</span></button></td>
      </tr>`)}</tbody>
    </table></div>`}
    ${making && html`<${Form} save=${async (body) => setMade(await add(body))} done=${() => setMaking(false)} />`}
    ${leaving && html`<${Sure} title="Remove this link?" text="Whoever opens it is told that it no longer works." act=${() => remove(leaving.id).then(() => setMade(null))} done=${() => setLeaving(null)} />`}
  </section>`;
}

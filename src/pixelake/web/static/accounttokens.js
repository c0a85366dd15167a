// Tokens of programs that ask the API. For owners.

import { Once, useList } from "./accountlist.js";
import { explain } from "./api.js";
import { day, dayTime } from "./format.js";
import { Sure } from "./sure.js";
import { Dialog, Failure, Outside, Skeleton, html, useState } from "./ui.js";

function Form({ save, done }) {
  const [fault, setFault] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    try {
      await save({ name: given.name, site: given.site || null });
      done();
    } catch (error) {
      setFault(explain(error));
    }
  };
  return html`<${Dialog} title="A new token" done=${done}><form class="form" onSubmit=${submit}>
    <p class="quiet">A program sends it as <code>Authorization: Bearer …</code>. It reads, and changes nothing.</p>
    <${Failure} text=${fault} />
    <label>Name <input name="name" autocomplete="off" spellcheck="false" maxlength="64" required /></label>
    <label>Site (empty: all) <input name="site" autocomplete="off" spellcheck="false" maxlength="253" /></label>
    <div class="actions"><button type="button" class="button" onClick=${done}>Cancel</button><button class="button primary">Make the token</button></div>
  </form><//>`;
}

export function Tokens() {
  const { rows, fault, add, remove } = useList("tokens");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const [leaving, setLeaving] = useState(null);
  return html`<section class="card" aria-labelledby="tokens">
    <div class="card-head"><h2 id="tokens">Tokens for programs</h2><button type="button" class="button" onClick=${() => setMaking(true)}>Add a token</button></div>
    <${Failure} text=${fault} />
    ${made && html`<${Once} title=${`The token ${made.name}`} text="It is told this once: only a hash of it is kept." secret=${made.token} />`}
    ${!rows && !fault && html`<${Skeleton} rows=${2} />`}
    ${rows?.length === 0 && html`<p class="lead quiet">No program has a token.</p>`}
    ${rows?.length > 0 && html`<div class="scroll"><table class="table">
      <thead><tr><th scope="col">Name</th><th scope="col">Site</th><th scope="col">Made</th><th scope="col">Last used</th><th scope="col"><span class="spoken">Remove</span></th></tr></thead>
      <tbody>${rows.map((token) => html`<tr key=${token.name}>
        <th scope="row"><${Outside} text=${token.name} /></th>
        <td><${Outside} text=${token.site ?? "all"} /></td>
        <td>${day(token.created / 1000)}</td>
        <td>${token.used ? dayTime(token.used / 1000) : "never"}</td>
        <td class="ends"><button type="button" class="link" onClick=${() => setLeaving(token)}>Remove<span class="spoken"> ${token.name}</span></button></td>
      </tr>`)}</tbody>
    </table></div>`}
    ${making && html`<${Form} save=${async (body) => setMade(await add(body))} done=${() => setMaking(false)} />`}
    ${leaving && html`<${Sure} title=${`Remove the token ${leaving.name}?`} text="Within a second or two no program is answered by it." act=${() => remove(leaving.name).then(() => setMade(null))} done=${() => setLeaving(null)} />`}
  </section>`;
}

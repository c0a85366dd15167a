// Users: who may log in, as what, and to which sites. For owners.

import { names, useList } from "./accountlist.js";
import { explain } from "./api.js";
import { Sure } from "./sure.js";
import { Dialog, Failure, Outside, Skeleton, html, speak, useState } from "./ui.js";

/** Makes a user, or changes one: then its name stays, and an empty password too. */
function Form({ user, save, done }) {
  const [fault, setFault] = useState("");
  const [role, setRole] = useState(user?.role ?? "viewer");
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    const body = { role, sites: role === "owner" ? null : names(given.sites), ...(given.password && { password: given.password }) };
    try {
      await save(user ? body : { ...body, name: given.name });
      speak("Saved");
      done();
    } catch (error) {
      setFault(explain(error));
    }
  };
  return html`<${Dialog} title=${user ? `Change ${user.name}` : "A new user"} done=${done}><form class="form" onSubmit=${submit}>
    <${Failure} text=${fault} />
    ${!user && html`<label>Name <input name="name" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" required /></label>`}
    <label>${user ? "New password (empty: it stays)" : "Password, 10 characters or more"} <input name="password" type="password" autocomplete="new-password" minlength="10" maxlength="1000" required=${!user} /></label>
    <label>Role <select value=${role} onChange=${(event) => setRole(event.currentTarget.value)}><option value="viewer">Viewer: looks</option><option value="owner">Owner: looks, and changes everything</option></select></label>
    ${role === "viewer" && html`<label>Sites, separated by commas (empty: all) <input name="sites" autocomplete="off" spellcheck="false" value=${user?.sites?.join(", ") ?? ""} /></label>`}
    <div class="actions"><button type="button" class="button" onClick=${done}>Cancel</button><button class="button primary">Save</button></div>
  </form><//>`;
}

export function Users({ me }) {
  const { rows, fault, add, change, remove } = useList("users");
  const [edited, setEdited] = useState(null);
  const [leaving, setLeaving] = useState(null);
  return html`<section class="card" aria-labelledby="users">
    <div class="card-head"><h2 id="users">Users</h2><button type="button" class="button" onClick=${() => setEdited({})}>Add a user</button></div>
    <${Failure} text=${fault} />
    ${!rows && !fault && html`<${Skeleton} rows=${2} />`}
    ${rows?.length === 0 && html`<p class="lead quiet">Nobody has a name and a password yet.</p>`}
    ${rows?.length > 0 && html`<div class="scroll"><table class="table">
      <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Sites</th><th scope="col"><span class="spoken">Change</span></th></tr></thead>
      <tbody>${rows.map((user) => html`<tr key=${user.name}>
        <th scope="row"><${Outside} text=${user.name} />${me.has_password && me.name === user.name ? html` <span class="badge">you</span>` : ""}</th>
        <td>${user.role}</td>
        <td><${Outside} text=${user.sites ? user.sites.join(", ") : "all"} /></td>
        <td class="ends"><button type="button" class="link" onClick=${() => setEdited(user)}>Change<span class="spoken"> ${user.name}</span></button>${" "}<button type="button" class="link" onClick=${() => setLeaving(user.name)}>Remove<span class="spoken"> ${user.name}</span></button></td>
      </tr>`)}</tbody>
    </table></div>`}
    ${edited && html`<${Form} user=${edited.name ? edited : null} save=${edited.name ? (body) => change(edited.name, body) : add} done=${() => setEdited(null)} />`}
    ${leaving && html`<${Sure} title=${`Remove ${leaving}?`} text="Whoever is logged in by that name is out at once." act=${() => remove(leaving)} done=${() => setLeaving(null)} />`}
  </section>`;
}

// Beside the editor: the tables with the meaning of each column, examples, and queries that are kept.

import { explain, get, send } from "./api.js";
import { EXAMPLES } from "./examples.js";
import { Sure } from "./sure.js";
import { Dialog, Failure, Outside, Skeleton, clean, html, useEffect, useState } from "./ui.js";

/** The tables that this one may ask: { tables, fault }. */
export function useSchema(site) {
  const [found, setFound] = useState({ tables: null, fault: "" });
  useEffect(() => {
    get("schema", { site }).then(({ tables }) => setFound({ tables, fault: "" }), (error) => setFound({ tables: null, fault: explain(error) }));
  }, [site]);
  return found;
}

const PARTS = [["tables", "Tables"], ["examples", "Examples"], ["saved", "Saved"]];

/** `take(text)` puts a whole query into the editor, `insert(name)` a name at its caret. */
export function Side({ me, state, schema, text, take, insert }) {
  const [part, setPart] = useState("tables");
  return html`<aside class="card side" aria-label="Tables, examples, saved queries">
    <div class="card-head"><div class="tabs" role="group" aria-label="Show">${PARTS.map(([id, label]) => html`<button key=${id} type="button" aria-pressed=${String(id === part)} onClick=${() => setPart(id)}>${label}</button>`)}</div></div>
    <div class="side-body">
      ${part === "tables" && html`<${Tables} schema=${schema} insert=${insert} />`}
      ${part === "examples" && html`<${Examples} tables=${schema.tables} take=${take} />`}
      ${part === "saved" && html`<${Saved} me=${me} site=${state.site} text=${text} take=${take} />`}
    </div>
  </aside>`;
}

function Tables({ schema, insert }) {
  const [wanted, setWanted] = useState("");
  if (schema.fault) return html`<${Failure} text=${schema.fault} />`;
  if (!schema.tables) return html`<${Skeleton} rows=${8} />`;
  const fits = ({ name, meaning }) => `${name} ${meaning}`.toLowerCase().includes(wanted.toLowerCase());
  return html`<input type="search" aria-label="Search columns" placeholder="Search columns" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
    ${schema.tables.map((table, at) => html`<${Table} key=${table.name} table=${table} columns=${table.columns.filter(fits)} open=${wanted ? true : at === 0} insert=${insert} />`)}`;
}

function Table({ table, columns, open, insert }) {
  return html`<details class="schema-table" open=${open}><summary><b>${table.name}</b> <span class="quiet">${columns.length}</span></summary>
    <p class="quiet"><${Ticked} text=${table.meaning} /></p>
    <ul>${columns.map(({ name, type, unit, meaning }) => html`<li key=${name}><button type="button" class="plain" title=${`Put ${name} into the query`} onClick=${() => insert(name)}><code>${clean(name, 80)}</code></button><i>${type}</i><span class="quiet"><${Ticked} text=${meaning} />${unit && ` (${unit})`}</span></li>`)}</ul>
  </details>`;
}

/** Text of ours with `code` in it. */
function Ticked({ text }) {
  return text.split("`").map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));
}

function Examples({ tables, take }) {
  const known = (tables ?? []).map(({ name }) => name);
  return html`<ul class="texts">${EXAMPLES.filter(({ table }) => !table || known.includes(table)).map(({ name, text }) => html`<li key=${name}><button type="button" class="plain" onClick=${() => take(text)}>${name}</button></li>`)}</ul>`;
}

/** Queries by name. An owner keeps what is in the editor, in the place of one of the same name, and takes them away. */
function Saved({ me, site, text, take }) {
  const [kept, setKept] = useState(null);
  const [fault, setFault] = useState("");
  const [keeping, setKeeping] = useState(false);
  const [gone, setGone] = useState("");
  const owns = me.role === "owner";
  const look = () => get("queries").then(({ queries }) => (setKept(queries), setFault("")), (error) => setFault(explain(error)));
  useEffect(() => void look(), [site]);
  return html`${owns && html`<button type="button" class="button" disabled=${!text.trim()} onClick=${() => setKeeping(true)}>Save this query …</button>`}
    <${Failure} text=${fault} again=${look} />
    ${!kept && !fault && html`<${Skeleton} rows=${4} />`}
    ${kept?.length === 0 && html`<p class="nothing">${owns ? "Nothing is saved yet. What you save here, everybody who may see its site can open." : "Nothing is saved yet. An owner can save queries for you."}</p>`}
    <ul class="texts">${kept?.map((query) => html`<li key=${query.name}><button type="button" class="plain" onClick=${() => take(query.sql)}><${Outside} text=${query.name} />${query.site && html`<span class="quiet"> <${Outside} text=${query.site} most=${60} /></span>`}</button>
      ${owns && html`<button type="button" class="button ghost" aria-label=${`Remove ${clean(query.name, 80)}`} onClick=${() => setGone(query.name)}>✕</button>`}</li>`)}</ul>
    ${keeping && html`<${Keep} text=${text} site=${site} done=${() => (setKeeping(false), look())} />`}
    ${gone && html`<${Sure} title="Remove a query" text=${`“${clean(gone, 80)}” is kept no longer, for nobody.`} act=${() => send("DELETE", `queries/${encodeURIComponent(gone)}`)} done=${() => (setGone(""), look())} />`}`;
}

function Keep({ text, site, done }) {
  const [name, setName] = useState("");
  const [own, setOwn] = useState(Boolean(site));
  const [fault, setFault] = useState("");
  const keep = (event) => {
    event.preventDefault();
    send("PUT", `queries/${encodeURIComponent(name.trim())}`, { sql: text, site: own && site ? site : null }).then(done, (error) => setFault(explain(error)));
  };
  return html`<${Dialog} title="Save this query" done=${done}><form class="form" onSubmit=${keep}>
    <label>Name <input required maxlength="80" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    ${site && html`<label><input type="checkbox" checked=${own} onChange=${(event) => setOwn(event.target.checked)} /> Also for those who see ${clean(site, 60)} alone</label>`}
    <p class="quiet">One of the same name is replaced. The text is kept on this server; if it names a person, it goes when that person is erased.</p>
    <${Failure} text=${fault} />
    <div class="actions"><button type="submit" class="button primary">Save</button></div>
  </form><//>`;
}

// A list of the account page: its rows, and how to add, change and remove one. And what is told only once.

import { explain, get, send } from "./api.js";
import { html, speak, useEffect, useRef, useState } from "./ui.js";

/** `rows` is null until they are there. `add` and `change` throw what is wrong; `remove` says it in `fault`. */
export function useList(path) {
  const [rows, setRows] = useState(null);
  const [fault, setFault] = useState("");
  const look = () => get(path).then((found) => (setRows(found), setFault("")), (error) => setFault(explain(error)));
  useEffect(() => void look(), [path]);
  const add = async (body) => {
    const made = await send("POST", path, body);
    await look();
    return made;
  };
  const change = async (name, body) => {
    await send("PATCH", `${path}/${encodeURIComponent(name)}`, body);
    await look();
  };
  const remove = (name) => send("DELETE", `${path}/${encodeURIComponent(name)}`).then(() => (speak("Removed"), look()), (error) => setFault(explain(error)));
  return { rows, fault, add, change, remove };
}

/** A secret that is told this once, with a button that copies it. */
export function Once({ title, text, secret }) {
  const field = useRef(null);
  const [copied, setCopied] = useState(false);
  useEffect(() => field.current.select(), [secret]);
  const copy = () => {
    field.current.select();
    navigator.clipboard?.writeText(secret).then(() => (setCopied(true), speak("Copied")), () => {});
  };
  return html`<div class="once" role="status"><b>${title}</b>
    <div class="secret"><input ref=${field} readonly value=${secret} aria-label=${title} /><button type="button" class="button" onClick=${copy}>${copied ? "Copied" : "Copy"}</button></div>
    <p class="quiet">${text}</p>
  </div>`;
}

/** Names of sites in a text field: separated by commas or blanks; none: null. */
export function names(text) {
  const found = String(text ?? "").split(/[\s,]+/).filter(Boolean);
  return found.length ? found : null;
}

// What every page is made of: preact with htm, text from outside, and the small parts that many panels share.
// Nothing here or elsewhere parses HTML: text is only ever text.

import { html, useEffect, useRef, useState } from "./vendor/htm-3.1.1/standalone.module.js";

export { html, render, createContext, useCallback, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/htm-3.1.1/standalone.module.js";

// Everything invisible that changes how its neighbours look: controls, lone surrogates, line
// separators, format characters. Joiners stay (Persian, emoji), and so do the tags of flags.
const INVISIBLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u200c\u200d\u{e0020}-\u{e007f}])\p{Cf}/gu;

function reveal(character) {
  const code = character.codePointAt(0);
  if (code === 9 || code === 10 || code === 13) return " ";
  if (code < 32) return String.fromCodePoint(0x2400 + code);
  return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
}

/** Text from outside: bounded, with what is invisible made visible. */
export function clean(text, most = 300) {
  const start = Array.from(String(text).slice(0, 2 * most));
  const cut = start.slice(0, most).join("").replace(INVISIBLE, reveal);
  return start.length > most || String(text).length > 2 * most ? cut + "…" : cut;
}

/** Text from outside as an element: its direction of writing stays inside, and it never breaks its place. */
export function Outside({ text, tag = "span", most = 300, class: name = "" }) {
  return html`<${tag} dir="auto" class="outside ${name}" title=${clean(text, 1000)}>${clean(text, most)}<//>`;
}

/** Why something is not there or old: a sentence, and what to do. Nothing without a text. */
export function Failure({ text, again }) {
  if (!text) return null;
  return html`<p class="failed" role="status">${coded(text)} ${again && html`<button type="button" class="link" onClick=${again}>Try again</button>`}</p>`;
}

/** A sentence with its names, which stand between backticks, as code. */
export const coded = (text) => text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));

/** Grey bars where rows will be: the same height as they have, so that nothing moves. */
export function Skeleton({ rows = 6 }) {
  return html`<div class="skeleton" aria-hidden="true">${Array.from({ length: rows }, (_, row) => html`<i key=${row}></i>`)}</div>`;
}

/** A button with a menu of choices below it; closes by Escape, a choice, or a click elsewhere. `choices`: [{ label, act, marked, note }]. */
export function Menu({ label, text, choices, class: name = "" }) {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!open) return;
    const away = (event) => box.current?.contains(event.target) || setOpen(false);
    document.addEventListener("pointerdown", away);
    box.current.querySelector("[role^=menuitem]")?.focus();
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const close = () => (setOpen(false), box.current.querySelector("button").focus());
  return html`<div class="menu ${name}" ref=${box} onKeyDown=${(key) => walk(key, close)} onFocusOut=${(left) => left.relatedTarget && !box.current.contains(left.relatedTarget) && setOpen(false)}>
    <button type="button" class="button" aria-haspopup="menu" aria-expanded=${String(open)} aria-label=${label} title=${label} onClick=${() => setOpen(!open)}>${text ?? "⋯"}</button>
    ${open && html`<ul class="sheet" role="menu" aria-label=${label}>${choices.map((choice) => html`<li role="none" key=${choice.label}><button type="button" role=${choice.marked == null ? "menuitem" : "menuitemradio"} aria-checked=${choice.marked == null ? undefined : String(choice.marked)} tabindex="-1" onClick=${() => (close(), choice.act())}>${choice.label}${choice.note && html` <span class="quiet">${choice.note}</span>`}</button></li>`)}</ul>`}
  </div>`;
}

/** Arrows walk through a menu; Escape leaves it. */
function walk(key, close) {
  const items = [...key.currentTarget.querySelectorAll("[role^=menuitem]")];
  if (!items.length) return;
  const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (key.key === "Escape") close();
  else if (key.key in steps) {
    const at = items.indexOf(document.activeElement) + steps[key.key];
    items[Number.isFinite(at) ? (at + items.length) % items.length : at < 0 ? 0 : items.length - 1].focus();
  } else return;
  key.preventDefault();
  key.stopPropagation();
}

/** A dialog over the page: the browser's own, with its focus and Escape. `done` is called when it closes. */
export function Dialog({ title, done, children, class: name = "" }) {
  const box = useRef(null);
  const isGone = useRef(false);
  useEffect(() => {
    const [before, dialog] = [document.activeElement, box.current];
    dialog.showModal();
    return () => {
      isGone.current = true;
      dialog.close(); // while it is open, nothing behind it can have the focus
      before?.focus?.();
    };
  }, []);
  return html`<dialog class="dialog ${name}" ref=${box} aria-label=${title} onClose=${() => isGone.current || done()} onClick=${(click) => click.target === box.current && box.current.close()}>
    <header class="card-head"><h2>${title}</h2><button type="button" class="button ghost" aria-label="Close" onClick=${() => box.current.close()}>✕</button></header>
    ${children}
  </dialog>`;
}

/** Gives a Blob to the reader as a file. */
export function saveFile(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Says something to screen readers, once. */
export function speak(text) {
  const place = document.getElementById("spoken");
  if (place) place.textContent = text;
}

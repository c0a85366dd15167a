// What the roles have noticed and a person should do, and which setting to set.

import { useLive } from "./live.js";
import { clean, html } from "./ui.js";

const MOST = 1000; // characters

function Notice({ level, text, setting }) {
  const sentence = clean(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`, MOST);
  const parts = setting ? sentence.split(setting) : [sentence];
  return html`<li class="notice" data-level=${level}>${parts.map((part, place) => html`${place > 0 && html`<code>${setting}</code>`}${part}`)}</li>`;
}

/** The notices of the status; nothing where there are none. */
export function Notices() {
  const notices = useLive().status?.notices ?? [];
  return html`<ul class="notices wrap" aria-live="polite" aria-label="Notices" hidden=${!notices.length}>${notices.map((each) => html`<${Notice} key=${each.code + each.text} ...${each} />`)}</ul>`;
}

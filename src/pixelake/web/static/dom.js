// Elements, and text from outside. Nothing here or elsewhere parses HTML: text is only ever text.

/** An element with attributes, listeners (`onclick`) and children; null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Text, only if it changed: so that screen readers and selections are left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

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

/** An element for text from outside; its direction of writing stays inside. */
export function outside(tag, text, attributes = {}, most = 300) {
  return h(tag, { dir: "auto", ...attributes, class: `outside ${attributes.class ?? ""}`.trim() }, clean(text, most));
}

/** A line that says why a panel is empty or old; `say(null)` takes it away. */
export function failure() {
  const line = h("p", { class: "failed", role: "status", hidden: true });
  return { line, say: (text) => say(line, text) };
}

/** Shows a text in an element, or hides it where there is none. */
export function say(element, text) {
  setText(element, text ?? "");
  element.hidden = text == null;
}

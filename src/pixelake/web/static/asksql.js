// SQL to the server and back: rows with exact numbers, files as they are.

import { Refused, SHARE, address, whoami } from "./api.js";

async function sent(text, parameters, accept, signal) {
  const { csrf } = await whoami();
  const headers = { Accept: accept, "Content-Type": "text/plain; charset=utf-8", "X-CSRF-Token": csrf ?? "" };
  const answer = await fetch(address("sql", parameters), { method: "POST", headers, body: text, signal });
  if (answer.ok) return answer;
  if (answer.status === 401 && !SHARE) location.assign(`/login?${new URLSearchParams({ next: location.pathname + location.search })}`);
  throw new Refused(answer.status, await answer.json().catch(() => ({ error: `the server answered ${answer.status}` })));
}

/** Whole numbers that JavaScript would round are kept whole. */
function exact(_, value, told) {
  const isRounded = typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(told?.source ?? "");
  return isRounded ? BigInt(told.source) : value;
}

/** { columns: [{ name, type }], rows, seconds } of one SELECT. Throws `Refused`, AbortError or TypeError. */
export async function ask(text, site, signal) {
  const began = performance.now();
  const body = await (await sent(text, { site, format: "json" }, "application/json", signal)).text();
  const { columns, rows } = JSON.parse(body, exact);
  return { columns, rows, text, site, seconds: (performance.now() - began) / 1000 };
}

/** Saves the whole answer as a file: `csv`, `rows` (JSON), `parquet` or `arrow`. */
export async function save(text, site, form) {
  const file = await (await sent(text, { site, format: form }, "*/*")).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `query.${form === "rows" ? "json" : form}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Where an error points in the text: { line, column, from, to } (counted from 1; from and to from 0); null: nowhere. */
export function place(message, text) {
  const told = message.match(/\(line (\d+), column (\d+)\)/);
  if (told) {
    const [line, column] = [Number(told[1]), Number(told[2])];
    const from = text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, column - 1);
    return spot(text, from, 1);
  }
  const word = message.match(/(?:column|name|Function with name|Referenced table) "?([\w.]+)"?/)?.[1];
  const from = word ? text.search(new RegExp(`\\b${word.replaceAll(".", "\\.")}\\b`, "i")) : -1;
  return from < 0 ? null : spot(text, from, word.length);
}

function spot(text, from, least) {
  const before = text.slice(0, from).split("\n");
  const word = text.slice(from).match(/^[\w."']+/)?.[0] ?? "";
  return { line: before.length, column: before.at(-1).length + 1, from, to: from + Math.max(least, word.length) };
}

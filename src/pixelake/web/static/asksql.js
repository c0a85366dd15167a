// SQL to the server and back: rows with exact numbers, files as they are.

import { submit } from "./api.js";
import { saveFile } from "./ui.js";

const sent = (text, parameters, accept, signal) => submit("POST", "sql", text, { parameters, accept, signal, type: "text/plain; charset=utf-8" });

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
  const answer = await sent(text, { site, format: form }, "*/*");
  saveFile(await answer.blob(), `query.${form === "rows" ? "json" : form}`);
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

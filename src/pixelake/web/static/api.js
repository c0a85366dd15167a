// The JSON API: everything the page knows comes through here.

import { clean } from "./ui.js";

/** A refusal, with the operator's hint. */
export class Refused extends Error {
  constructor(status, { error, hint, parameter }) {
    super(error);
    this.status = status;
    this.hint = hint ?? "";
    this.parameter = parameter ?? "";
  }
}

/** Where the API is: of a shared link its own, which sees no more than the link shows. */
export const SHARE = location.pathname.match(/^\/share\/[^/]+/)?.[0] ?? "";
const ROOT = `${SHARE}/api/v1/`;

/** What went wrong, and what to do about it, in a sentence or two. */
export function explain(error) {
  if (error?.name === "AbortError") return "";
  if (!(error instanceof Refused)) return "The dashboard's server does not answer.";
  const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;
  return clean([error.message, error.hint].filter(Boolean).map(sentence).join(" "), 600);
}

/** The address of a route; lists give a parameter several times, empty ones none. */
export function address(path, parameters = {}) {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  const given = pairs.filter(([, value]) => value != null && value !== "");
  return ROOT + path + (given.length ? `?${new URLSearchParams(given)}` : "");
}

async function answered(answer) {
  const body = answer.status === 204 ? null : await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (answer.ok) return body;
  if (answer.status === 401 && !SHARE) location.assign(`/login?${new URLSearchParams({ next: location.pathname + location.search })}`);
  throw new Refused(answer.status, body);
}

/** The JSON of a route. Throws `Refused`, or TypeError where no server answers. */
export async function get(path, parameters = {}, { signal } = {}) {
  return answered(await fetch(address(path, parameters), { headers: { Accept: "application/json" }, signal }));
}

/** Saves the answer of a route as a file, whole. Throws as `get` does: nothing is saved then. */
export async function download(path, parameters, name) {
  const answer = await fetch(address(path, parameters));
  if (!answer.ok) return answered(answer);
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

let me = null;

/** Who looks: { name, role, sites, csrf }; asked for once. */
export function whoami() {
  me ??= get("me").catch((error) => ((me = null), Promise.reject(error)));
  return me;
}

/** Changes something: `method` is POST, PATCH, PUT or DELETE, `body` becomes JSON. */
export async function send(method, path, body, parameters = {}) {
  const ask = async () => {
    const { csrf } = await whoami();
    const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": csrf ?? "" };
    return fetch(address(path, parameters), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  };
  const answer = await ask();
  if (answer.status !== 403) return answered(answer);
  me = null; // another tab may have logged in anew
  return answered(await ask());
}

/** The live feed behind a cursor. The browser reconnects by itself and says where it was. */
export function listen(parameters, handlers) {
  const source = new EventSource(address("live", parameters));
  for (const kind of ["events", "now", "status"]) {
    source.addEventListener(kind, (message) => handlers[kind]?.(JSON.parse(message.data), message.lastEventId));
  }
  source.addEventListener("open", () => handlers.open?.());
  source.addEventListener("error", () => handlers.lost?.(source.readyState === EventSource.CLOSED));
  return source;
}

// The JSON API: everything the page knows comes through here.

import { clean, saveFile } from "./ui.js";

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

const FARTHEST = 4000; // characters of an address that the log-in page goes back to

/** Where this page is, with what stands behind the `#` if that is not too long. */
function here() {
  const page = location.pathname + location.search;
  return (page + location.hash).length <= FARTHEST ? page + location.hash : page;
}

async function answered(answer) {
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const body = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (answer.status === 401 && !SHARE) location.assign(`/login?${new URLSearchParams({ next: here() })}`);
  throw new Refused(answer.status, body);
}

/** The JSON of a route. Throws `Refused`, or TypeError where no server answers. */
export async function get(path, parameters = {}, { signal } = {}) {
  return answered(await fetch(address(path, parameters), { headers: { Accept: "application/json" }, signal }));
}

/** Saves the rows of an answer as a file; whether they were all. Throws as `get` does: nothing is saved then. */
export async function download(path, parameters, name) {
  const answer = await fetch(address(path, parameters));
  if (!answer.ok) return answered(answer);
  saveFile(await answer.blob(), name);
  return !answer.headers.has("X-Pixelake-Next");
}

let me = null;

/** Who looks: { name, role, sites, csrf }; asked for once. */
export function whoami() {
  me ??= get("me").catch((error) => ((me = null), Promise.reject(error)));
  return me;
}

/** Changes something: `method` is POST, PATCH, PUT or DELETE, `body` becomes JSON. */
export async function send(method, path, body, parameters = {}) {
  return answered(await submit(method, path, body === undefined ? undefined : JSON.stringify(body), { parameters }));
}

/** The answer, as it is, of a route to which a text is sent. Throws as `get` does. */
export async function submit(method, path, body, { parameters = {}, type = "application/json", accept = "application/json", signal } = {}) {
  const ask = async () => {
    const { csrf } = await whoami();
    const headers = { Accept: accept, "Content-Type": type, "X-CSRF-Token": csrf ?? "" };
    return fetch(address(path, parameters), { method, headers, body, signal });
  };
  let answer = await ask();
  if (answer.status === 403) {
    me = null; // another tab may have logged in anew
    answer = await ask();
  }
  return answer.ok ? answer : answered(answer);
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

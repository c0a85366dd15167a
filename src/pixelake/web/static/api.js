// The JSON API: everything the page knows comes through here.

import { clean } from "./dom.js";

/** A refusal, with the operator's hint. */
export class Refused extends Error {
  constructor(status, { error, hint }) {
    super(error);
    this.status = status;
    this.hint = hint ?? "";
  }
}

/** Whether only what was asked for is affected: the server works, and knows who asks. */
export const isLocal = (error) => error instanceof Refused && error.status !== 401;

/** What went wrong, and what to do about it, in a line. */
export function explain(error) {
  if (!(error instanceof Refused)) return "The dashboard's server does not answer. Trying again.";
  const hint = error.status === 401 ? "open the address that `pixelake serve` prints once more" : error.hint;
  const line = hint ? `${error.message}; ${hint}` : error.message;
  return clean(line.charAt(0).toUpperCase() + line.slice(1));
}

function address(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value != null && value !== "");
  return `/api/v1/${path}?${new URLSearchParams(given)}`;
}

/** The JSON of a route. Throws `Refused`, or TypeError where no server answers. */
export async function get(path, parameters = {}) {
  const answer = await fetch(address(path, parameters), { headers: { Accept: "application/json" } });
  const body = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}

/** The live feed behind a cursor. The browser reconnects by itself and says where it was. */
export function listen(parameters, handlers) {
  const source = new EventSource(address("live", parameters));
  for (const kind of ["events", "now", "status"]) {
    source.addEventListener(kind, (message) => handlers[kind](JSON.parse(message.data), message.lastEventId));
  }
  source.addEventListener("open", handlers.open);
  source.addEventListener("error", () => handlers.lost(source.readyState === EventSource.CLOSED));
  return source;
}

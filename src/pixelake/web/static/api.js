// The JSON API: everything the page knows comes through here.

/** A refusal, with the operator's hint. */
export class Refused extends Error {
  constructor(status, { error, hint }) {
    super(error);
    this.status = status;
    this.hint = hint ?? "";
  }
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

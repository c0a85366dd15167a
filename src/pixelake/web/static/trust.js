// Both sums of what was accepted, always in sight: nothing is dropped in silence.

import { h, setText } from "./dom.js";
import { count, duration } from "./format.js";

const SUMS = [
  { whole: "accepted", parts: ["in_stream", "settled"] },
  { whole: "outcomes", parts: ["in_lake", "rejected", "withheld", "removed"] },
];
const WORDS = {
  accepted: ["hits accepted", "Hits that were answered with a promise: they are on disk."],
  in_stream: ["in the stream", "Durable, and waiting to be judged."],
  settled: ["settled", "Judged: what became of them is in the lake."],
  outcomes: ["outcomes", "What the settled hits gave. One hit with many events gives many."],
  in_lake: ["in the lake", "Events that can be asked for in SQL."],
  rejected: ["rejected", "Kept with the reason, and shown by `pixelake rejects list`."],
  withheld: ["withheld", "Not kept, by the policy for Do Not Track and Global Privacy Control."],
  removed: ["removed", "Erased, expired or purged since."],
};

const holds = (status, sum) => status[sum.whole] === sum.parts.reduce((total, part) => total + status[part], 0);

function term(name) {
  const value = h("b", {}, "–");
  return { value, element: h("span", { class: "term", title: WORDS[name][1] }, value, " ", h("i", {}, WORDS[name][0])) };
}

function line(sum) {
  const mark = h("span", { class: "mark", "data-state": "waiting" });
  const terms = new Map([sum.whole, ...sum.parts].map((name) => [name, term(name)]));
  const signs = ["=", ...sum.parts.slice(1).map(() => "+")];
  const parts = sum.parts.flatMap((name, place) => [h("span", { class: "sign" }, signs[place]), terms.get(name).element]);
  return { sum, mark, terms, element: h("p", { class: "sum" }, mark, terms.get(sum.whole).element, ...parts) };
}

function tick(mark, good) {
  mark.dataset.state = good ? "good" : "bad";
  setText(mark, good ? "✓" : "✗");
}

function wait(mark) {
  mark.dataset.state = "waiting";
  mark.removeAttribute("aria-label");
  setText(mark, "");
}

/** Draws both sums; returns a function that shows a status, and one that says why there is none. */
export function trust({ sums, mark, text, delay }) {
  const lines = SUMS.map(line);
  sums.replaceChildren(...lines.map(({ element }) => element));
  function show(status) {
    for (const { sum, mark: own, terms } of lines) {
      const good = holds(status, sum);
      tick(own, good);
      own.setAttribute("aria-label", good ? "adds up:" : "does not add up:");
      for (const [name, { value }] of terms) setText(value, count(status[name]));
    }
    const good = SUMS.every((sum) => holds(status, sum));
    tick(mark, good);
    setText(text, good ? "Every hit is accounted for" : "The sums do not add up");
    setText(delay, status.in_stream ? `Delay ${duration(status.lag_seconds)}` : "No delay");
  }

  function fail(reason) {
    for (const { mark: own } of lines) wait(own);
    wait(mark);
    setText(text, "The sums cannot be read now");
    setText(delay, reason);
  }

  return { show, fail };
}

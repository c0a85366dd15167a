// The headline figures: a row of the charts table each.

import { h, say, setText } from "./dom.js";
import { compact, count, share } from "./format.js";

/** What a chart asks, as a name: the same for those that share an answer. */
export const asks = ({ question, people }) => (people ? question : `${question} of all`);

/** Draws the figures; returns a function that shows the answer to what is asked, and one that says why there is none. */
export function figures(list, failed, charts) {
  const troubles = new Map();
  const rows = new Map();
  const drawn = charts.map((chart) => ({ chart, value: h("dd", { id: `figure-${chart.name}` }, "–") }));
  list.replaceChildren(
    ...drawn.map(({ chart, value }) =>
      h("div", { class: "figure", title: chart.help, "data-question": chart.question }, h("dt", {}, chart.title), value),
    ),
  );

  function trouble(name, text) {
    if (text == null) troubles.delete(name);
    else troubles.set(name, text);
    say(failed, troubles.size ? [...new Set(troubles.values())].join(" ") : null);
  }

  /** The share of all hits that people's are not: of two answers, as soon as both are there. */
  function showRest(chart, value) {
    const all = rows.get(asks(chart))?.hits;
    const people = rows.get(asks({ ...chart, people: true }))?.hits;
    if (all == null || people == null) return;
    const rest = Math.max(0, all - people);
    setText(value, share(rest, all));
    value.title = `${count(rest)} of ${count(all)}`;
  }

  function showOne(chart, value) {
    const number = rows.get(asks(chart))?.[chart.column];
    if (number == null) return;
    setText(value, compact(number));
    value.title = count(number);
  }

  return {
    show(name, row) {
      trouble(name, null);
      rows.set(name, row);
      for (const { chart, value } of drawn) (chart.kind === "rest" ? showRest : showOne)(chart, value);
    },
    fail: trouble,
  };
}

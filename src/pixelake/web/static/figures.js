// The headline figures: a row of the charts table each.

import { h, say, setText } from "./dom.js";
import { compact, count, share } from "./format.js";

/** Draws the figures; returns a function that shows the answer to a question, and one that says why there is none. */
export function figures(list, failed, charts) {
  const troubles = new Map();
  const drawn = charts.map((chart) => ({ chart, value: h("dd", { id: `figure-${chart.name}` }, "–") }));
  list.replaceChildren(
    ...drawn.map(({ chart, value }) =>
      h("div", { class: "figure", title: chart.help, "data-question": chart.question }, h("dt", {}, chart.title), value),
    ),
  );

  function trouble(question, text) {
    if (text == null) troubles.delete(question);
    else troubles.set(question, text);
    say(failed, troubles.size ? [...new Set(troubles.values())].join(" ") : null);
  }

  return {
    show(question, row) {
      trouble(question, null);
      for (const { chart, value } of drawn) {
        const number = row[chart.name];
        if (chart.question !== question || number == null) continue;
        setText(value, chart.kind === "share" ? share(number, row.hits) : compact(number));
        value.title = chart.kind === "share" ? `${count(number)} of ${count(row.hits)}` : count(number);
      }
    },
    fail: trouble,
  };
}

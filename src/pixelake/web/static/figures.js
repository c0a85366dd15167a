// The headline figures: a row of the charts table each.

import { h, setText } from "./dom.js";
import { compact, count, share } from "./format.js";

/** Draws the figures; returns a function that shows the answer to a question. */
export function figures(list, charts) {
  const drawn = charts.map((chart) => ({ chart, value: h("dd", { id: `figure-${chart.name}` }, "–") }));
  list.replaceChildren(
    ...drawn.map(({ chart, value }) =>
      h("div", { class: "figure", title: chart.help, "data-question": chart.question }, h("dt", {}, chart.title), value),
    ),
  );
  return (question, row) => {
    for (const { chart, value } of drawn) {
      const number = row[chart.name];
      if (chart.question !== question || number == null) continue;
      setText(value, chart.kind === "share" ? share(number, row.hits) : compact(number));
      value.title = chart.kind === "share" ? `${count(number)} of ${count(row.hits)}` : count(number);
    }
  };
}

// A top list: what, how often, and a bar behind it.

import { clean, failure, h, outside } from "./dom.js";
import { compact, count } from "./format.js";

/** A panel with the list; returns it, a function that shows new rows, and one that says why there are none. */
export function list(chart) {
  const items = h("ol");
  const failed = failure();
  const panel = h(
    "section",
    { class: "card list", title: chart.help, "aria-label": chart.title },
    h("div", { class: "card-head" }, h("h2", {}, chart.title), h("p", { class: "quiet" }, chart.unit)),
    failed.line,
    items,
    h("p", { class: "nothing" }, "Nothing in these 24 hours."),
  );

  function item(row, most) {
    const name = row.value == null ? h("span", { class: "outside quiet" }, chart.nothing || "not told") : outside("span", row.value);
    name.title = clean(row.value ?? "", 1000);
    const bar = h("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${(100 * row[chart.column]) / most}%`;
    return h("li", {}, bar, name, h("b", { title: `${count(row.views)} views, ${count(row.daily_visitors)} visitors` }, compact(row[chart.column])));
  }

  return {
    panel,
    fail: failed.say,
    show({ rows }) {
      failed.say(null);
      const most = Math.max(1, ...rows.map((row) => row[chart.column]));
      items.replaceChildren(...rows.map((row) => item(row, most)));
      panel.classList.toggle("is-empty", rows.length === 0);
    },
  };
}

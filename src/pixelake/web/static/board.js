// The figures, the chart and the top lists: a panel for each row of the charts table, each with its own failures.

import { explain, get, isLocal } from "./api.js";
import { h } from "./dom.js";
import { asks, figures } from "./figures.js";
import { lines } from "./lines.js";
import { list } from "./lists.js";

const TOP = 6; // rows of a top list
const PERIOD = "24h";
const DRAWN = { line: lines, list };

/** Draws the panels; returns a function that asks the lake for all of them, and one that shows the live figures. */
export function board(places, charts) {
  const drawn = charts.filter((chart) => DRAWN[chart.kind]).map((chart) => ({ chart, ...DRAWN[chart.kind](chart) }));
  const head = figures(places.figures, places.failed, charts.filter((chart) => !DRAWN[chart.kind]));
  places.lines.replaceChildren(...drawn.filter(({ chart }) => chart.kind === "line").map(({ panel }) => panel));
  places.lists.replaceChildren(...drawn.filter(({ chart }) => chart.kind === "list").map(({ panel }) => panel));
  places.meaning.replaceChildren(...charts.flatMap((chart) => [h("dt", {}, chart.title), h("dd", {}, chart.help)]));
  const asked = [...new Map(charts.map((chart) => [asks(chart), chart])).values()].filter((chart) => chart.question !== "now");
  const panel = (name) => drawn.find(({ chart }) => asks(chart) === name);

  function show(name, result) {
    const own = panel(name);
    if (result.status === "rejected") {
      if (own) own.fail(explain(result.reason));
      else head.fail(name, explain(result.reason));
    } else if (own) own.show(result.value);
    else head.show(name, result.value.rows[0] ?? {});
  }

  return {
    now: (now) => head.show("now", now),
    nowFailed: (error) => head.fail("now", explain(error)),
    /** Asks; shows what comes if it is still `wanted`. Returns the first error that is not one panel's own, if any. */
    async ask(site, wanted) {
      const answers = await Promise.allSettled(asked.map(({ question, kind, people }) => get(question, { site, period: PERIOD, people: people ? null : "false", limit: kind === "list" ? TOP : null })));
      if (!wanted()) return null;
      answers.forEach((result, place) => show(asks(asked[place]), result));
      return answers.map(({ reason }) => reason).find((reason) => reason && !isLocal(reason)) ?? null;
    },
  };
}

// What rows of answers are called, what a click on one filters by, and how their cells are written.

import { added, go, parameters, test } from "./address.js";
import { download, explain } from "./api.js";
import { changed, count, country, day, dayTime, figure, language } from "./format.js";
import { Failure, Menu, clean, html, speak, useState } from "./ui.js";

const MOST = 10000; // rows of a file; the command line has no bound

const NAMES = { country, language };

/** How a row is called by people. */
export function rowName(chart, row) {
  const value = row[chart.key];
  if (value == null) return chart.nothing;
  return (NAMES[chart.filter] ?? String)(value);
}

/** The filters that a row stands for; null: none. */
export function filtersOf(chart, row, option, name) {
  const value = row[chart.key];
  if (chart.filter === "page") return value == null ? [test("path", "is")] : pageFilters(value);
  if (chart.filter === "by") return [test(option, "is", value)];
  if (chart.filter === "properties") return name ? [test(`properties.${name}`, "is", value)] : null;
  return chart.filter ? [test(chart.filter, "is", value)] : null;
}

function pageFilters(value) {
  const at = value.indexOf("/");
  const [host, path] = at < 0 ? [value, ""] : [value.slice(0, at), value.slice(at)];
  return [...(host ? [test("host", "is", host)] : []), test("path", "is", path)];
}

/** Looks at the rows of this kind alone. */
export function filterBy(chart, state, filters) {
  const filter = filters.reduce(added, state.filter);
  go({ filter, ...(chart.people || chart.filter === "page" ? {} : { people: "false" }) });
  speak(`Filtered by ${filters.join(" and ")}.`);
}

/** What a list is asked with: the state, and what the tab has of its own. */
export function asked(chart, state, option, name) {
  const own = { ...(chart.by ? { [chart.by[0]]: option } : {}), ...(name ? { name } : {}) };
  const given = parameters(state);
  return { ...given, ...(chart.people ? {} : { people: "" }), ...(chart.whole ? { site: "", filter: [], compare: "" } : {}), ...own };
}

const COLUMN = { daily_visitors: "Visitors", opens: "Opens", net: "Net", shown: "Shown", conversions: "Reached" };
/** The name of a column, as people say it. */
export const columnName = (chart, column = chart.column) => COLUMN[column] ?? `${column.charAt(0).toUpperCase()}${column.slice(1).replaceAll("_", " ")}`;

/** By how much something changed, with its direction in words for who cannot see the colour. */
export function Change({ share, good }) {
  if (share == null) return html`<span class="change" title="There was nothing before">–</span>`;
  const better = share === 0 || good === 0 ? "same" : share * good > 0 ? "better" : "worse";
  return html`<span class="change" data-way=${better}><span aria-hidden="true">${share > 0 ? "↑" : share < 0 ? "↓" : ""}</span>${share > 9.99 ? ">999%" : changed(share)}</span>`;
}

/** The rows as files, as the API writes them: the first `MOST`. */
export function Exports({ question, given, more = [] }) {
  const [fault, setFault] = useState("");
  const save = (form) => () => download(question, { ...given, limit: MOST, format: form }, `${question}.${form === "rows" ? "json" : form}`).then(() => setFault(""), (error) => setFault(explain(error)));
  const choices = ["csv", "rows", "parquet"].map((form) => ({ label: form === "rows" ? "JSON" : form === "csv" ? "CSV" : "Parquet", act: save(form) }));
  return html`<${Menu} class="exports" label="Save these rows" text="Save" choices=${[...choices, ...more]} /><${Failure} text=${fault} />`;
}

/** A cell of a table by the kind of its value. */
export function cell(column, value, zone) {
  if (value == null) return "–";
  if (["last_seen", "first_seen", "begins", "ends", "bucket"].includes(column)) return dayTime(value, zone);
  if (column === "cohort") return day(value);
  if (/rate$|share$|retention|click_to_open/.test(column)) return figure(value, "share");
  if (column.startsWith("seconds")) return figure(value, "seconds");
  return typeof value === "number" ? count(value) : clean(String(value), 200);
}

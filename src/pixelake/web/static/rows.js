// What rows of answers are called, what a click on one filters by, and how their cells are written.

import { added, go, parameters, test } from "./address.js";
import { download, explain } from "./api.js";
import { changed, count, country, day, dayTime, figure, language } from "./format.js";
import { Failure, Menu, clean, html, speak, useState } from "./ui.js";

const MOST = 100000; // rows of a file, as the API bounds it
const CUT = `The file has the first ${count(MOST)} rows, and there are more: choose a shorter period or a filter for the rest. \`pixelake query\` has no such bound.`;

const NAMES = { country, language };

/** How a row is called by people; a page of the site that is looked at without its host. */
export function rowName(chart, row, site) {
  const value = row[chart.key];
  if (value == null) return chart.nothing;
  if (site && chart.filter === "page" && value.startsWith(`${site}/`)) return value.slice(site.length);
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

/** Whether a column of a compared row has something now, and had nothing before. */
function isNew(row, column) {
  const before = row[`before_${column}`];
  const was = before == null ? Object.keys(row).some((name) => name.startsWith("before_") && row[name] != null) : Number(before) > 0;
  return Number(row[column]) > 0 && !was;
}

/** By how much a column of a row changed; nothing where that cannot be said. */
export const Changed = ({ row, column, good }) => (row[`change_${column}`] == null && !isNew(row, column) ? html`<span class="change"></span>` : html`<${Change} share=${row[`change_${column}`]} good=${good} />`);

/** By how much something changed, with its direction in words for who cannot see the colour; null: there was nothing before. */
export function Change({ share, good }) {
  if (share == null) return html`<span class="change" title="There was nothing before">new</span>`;
  const flat = Math.abs(share) < 0.005; // it is written as 0%
  const better = flat || good === 0 ? "same" : share * good > 0 ? "better" : "worse";
  return html`<span class="change" data-way=${better}>${!flat && html`<span aria-hidden="true">${share > 0 ? "↑" : "↓"}</span>`}${share > 9.99 ? ">999%" : changed(share)}</span>`;
}

/** All rows as files, as the API writes them; it is said where they are more than `MOST`. */
export function Exports({ question, given, more = [] }) {
  const [fault, setFault] = useState("");
  const save = (form) => () => download(question, { ...given, limit: MOST, format: form }, `${question}.${form === "rows" ? "json" : form}`).then((whole) => setFault(whole ? "" : CUT), (error) => setFault(explain(error)));
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

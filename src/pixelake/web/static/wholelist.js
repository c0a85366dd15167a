// The whole list of a panel: searched in the lake, page by page, with every column, and saved as a file.

import { askable, test } from "./address.js";
import { explain, get } from "./api.js";
import { Changed, Exports, cell, columnName, rowName } from "./rows.js";
import { Dialog, Failure, Outside, Skeleton, html, useEffect, useState } from "./ui.js";

const PAGE = 100;
const TYPING = 250; // ms after a key
const SEARCHED = { page: "path", by: null, properties: null, "": null };

/** A dialog; `pick` filters by a row and closes it. */
export function WholeList({ chart, given, pick, done }) {
  const [text, setText] = useState("");
  const [pages, setPages] = useState([]);
  const [fault, setFault] = useState("");
  const [next, setNext] = useState(null);
  const column = chart.filter in SEARCHED ? SEARCHED[chart.filter] : chart.filter;
  const asked = { ...given, limit: PAGE, filter: [...given.filter, ...(text && column ? [test(column, "contains", text)] : [])] };
  const look = (cursor, signal) =>
    get(chart.question, { ...asked, cursor }, { signal }).then(
      (answer) => (setPages((known) => (cursor ? [...known, answer] : [answer])), setNext(answer.next), setFault("")),
      (error) => signal?.aborted || setFault(explain(error)),
    );
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => look(null, stop.signal), text ? TYPING : 0);
    return () => (clearTimeout(timer), stop.abort());
  }, [text]);
  const rows = pages.flatMap((answer) => answer.rows);
  return html`<${Dialog} title=${chart.title} class="wide" done=${done}>
    <div class="tools">${column && html`<input type="search" aria-label="Search" placeholder="Search" maxlength="500" value=${text} onInput=${(event) => setText(event.target.value)} />`}<${Exports} question=${chart.question} given=${{ ...asked, cursor: "" }} /></div>
    <${Failure} text=${fault} />
    ${pages.length ? html`<${Table} chart=${chart} rows=${rows} compared=${given.compare} zone=${pages[0].zone} pick=${pick && ((row) => (pick(row), done()))} />` : !fault && html`<${Skeleton} rows=${12} />`}
    ${next && html`<button type="button" class="button" onClick=${() => look(next)}>More</button>`}
  <//>`;
}

function Table({ chart, rows, compared, zone, pick }) {
  const columns = [chart.column, ...chart.more];
  if (!rows.length) return html`<p class="nothing">Nothing of this in the period.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${chart.title}><table class="table">
    <thead><tr><th scope="col">${chart.title}</th>${columns.map((column) => html`<th key=${column} scope="col" class="number">${columnName(chart, column)}</th>`)}${compared && html`<th scope="col" class="number">Change</th>`}</tr></thead>
    <tbody>${rows.map((row, place) => html`<tr key=${place}>
      <th scope="row">${pick && askable(row[chart.key]) ? html`<button type="button" class="plain" onClick=${() => pick(row)}><${Outside} text=${rowName(chart, row)} /></button>` : html`<${Outside} text=${rowName(chart, row)} />`}</th>
      ${columns.map((column) => html`<td key=${column} class="number">${cell(column, row[column], zone)}</td>`)}
      ${compared && html`<td class="number"><${Changed} row=${row} column=${chart.column} good=${chart.good} /></td>`}
    </tr>`)}</tbody>
  </table></div>`;
}

// SQL: an editor, the tables beside it, and the answer below. The text that was run is in the address.

import { explain } from "./api.js";
import { ask, place, save } from "./asksql.js";
import { EXAMPLES } from "./examples.js";
import { put } from "./hash.js";
import { Result } from "./sqlresult.js";
import { Side, useSchema } from "./sqlside.js";
import { Failure, Menu, clean, html, speak, useEffect, useRef, useState } from "./ui.js";

const LONGEST = 100_000;

/** The tab. `given.q` is the text of a link: it is shown, and run only when somebody wants it. */
export function Sql({ me, state, given }) {
  const wanted = given.get("q") ?? "";
  const [text, setText] = useState(wanted || EXAMPLES[0].text);
  const box = useRef(null);
  const run = useRun(state.site);
  const schema = useSchema(state.site);
  useEffect(() => void (wanted && wanted !== text && setText(wanted)), [wanted]);
  const start = (what = text) => (put("sql", [["q", what]]), run.start(what));
  const take = (what) => (setText(what), box.current.focus());
  return html`<div class="sql">
    <section class="card editor" aria-label="Your query">
      <${Editor} box=${box} text=${text} change=${setText} run=${() => start()} fault=${run.fault} />
      <div class="editor-foot">
        ${run.running ? html`<button type="button" class="button" onClick=${run.stop}>Cancel</button>` : html`<button type="button" class="button primary" disabled=${!text.trim()} onClick=${() => start()}>Run</button>`}
        <span class="quiet hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd> runs it. ${state.site ? html`Rows of ${clean(state.site, 60)} alone; times` : "Times"} are UTC.</span>
        <${Clock} since=${run.running} />
      </div>
      <${Fault} run=${run} box=${box} />
    </section>
    <${Side} me=${me} state=${state} schema=${schema} text=${text} take=${take} insert=${(name) => insert(box.current, name, setText)} />
    <${Answer} run=${run} />
  </div>`;
}

/** Runs one query at a time: { running, answer, fault, start(text), stop() }. A new one takes the place of the one before. */
function useRun(site) {
  const [state, setState] = useState({ running: 0, answer: null, fault: "", text: "" });
  const stopper = useRef(null);
  const end = (change) => setState((known) => ({ ...known, running: 0, ...change }));
  useEffect(() => () => stopper.current?.abort(), []);
  const start = (text) => {
    stopper.current?.abort();
    const own = (stopper.current = new AbortController());
    setState((known) => ({ ...known, running: performance.now(), fault: "" }));
    ask(text, site, own.signal).then(
      (answer) => (speak(`${answer.rows.length} rows`), end({ answer })),
      (error) => own.signal.aborted || end({ fault: explain(error), said: error.message, text }),
    );
  };
  return { ...state, start, stop: () => (stopper.current?.abort(), end({}), speak("Cancelled")) };
}

/** A text field: Ctrl or Cmd with Enter runs it; Tab leaves it, as everywhere. */
function Editor({ box, text, change, run, fault }) {
  const pressed = (key) => {
    if (key.key !== "Enter" || !(key.ctrlKey || key.metaKey)) return;
    key.preventDefault();
    run();
  };
  return html`<textarea ref=${box} class="sql-text" aria-label="Query in SQL" aria-invalid=${String(Boolean(fault))} aria-describedby="sql-fault" spellcheck="false" autocapitalize="off" autocomplete="off" autocorrect="off" maxlength=${LONGEST} rows=${Math.min(18, Math.max(7, text.split("\n").length + 1))} value=${text} onInput=${(event) => change(event.target.value)} onKeyDown=${pressed}></textarea>`;
}

/** Puts a name where the caret is. */
function insert(field, name, change) {
  field.setRangeText(name, field.selectionStart, field.selectionEnd, "end");
  change(field.value);
  field.focus();
}

/** How long it takes already. */
function Clock({ since }) {
  const [, setNow] = useState(0);
  useEffect(() => {
    if (!since) return;
    const timer = setInterval(() => setNow(performance.now()), 100);
    return () => clearInterval(timer);
  }, [since]);
  return since ? html`<span class="quiet">${((performance.now() - since) / 1000).toFixed(1)} s</span>` : null;
}

/** What was wrong, and the line of it with a mark. */
function Fault({ run, box }) {
  const at = run.fault && place(run.said ?? "", run.text);
  const show = () => (box.current.focus(), box.current.setSelectionRange(at.from, at.to));
  return html`<div id="sql-fault"><${Failure} text=${run.fault} />${at && html`<${Spot} text=${run.text} at=${at} />
    <button type="button" class="link" onClick=${show}>Go to line ${at.line}</button>`}</div>`;
}

const SHOWN = 80;

function Spot({ text, at }) {
  const line = text.split("\n")[at.line - 1] ?? "";
  const start = Math.max(0, at.column - 1 - SHOWN / 2);
  const shown = clean(line.slice(start, start + SHOWN), SHOWN);
  return html`<pre class="spot" aria-hidden="true">${shown}\n${" ".repeat(at.column - 1 - start)}${"^".repeat(Math.max(1, Math.min(at.to - at.from, SHOWN / 2)))}</pre>`;
}

function Answer({ run }) {
  const [fault, setFault] = useState("");
  const { answer } = run;
  if (!answer) return run.running ? html`<section class="card answer" aria-busy="true"><p class="nothing">Asking the lake …</p></section>` : null;
  const file = (form) => () => (setFault(""), save(answer.text, answer.site, form).catch((error) => setFault(explain(error))));
  const choices = [["CSV", "csv"], ["JSON", "rows"], ["Parquet", "parquet"], ["Arrow", "arrow"]].map(([label, form]) => ({ label, act: file(form) }));
  return html`<section class="card answer" aria-label="The answer" aria-busy=${String(Boolean(run.running))} data-old=${String(Boolean(run.running || run.fault))}>
    <${Result} answer=${answer} tools=${html`<${Menu} class="exports" label="Save the whole answer" text="Save" choices=${choices} />`} />
    <${Failure} text=${fault} />
  </section>`;
}

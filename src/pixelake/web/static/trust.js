// Both sums of what was accepted, always in sight: nothing is dropped in silence.

import { useLive } from "./live.js";
import { count, duration } from "./format.js";
import { html } from "./ui.js";

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
  rejected: ["rejected", "Kept with the reason; the events page shows them."],
  withheld: ["withheld", "Not kept, by the policy for Do Not Track and Global Privacy Control."],
  removed: ["removed", "Erased, expired or purged since."],
};

const holds = (status, { whole, parts }) => status[whole] === parts.reduce((total, part) => total + status[part], 0);

function Mark({ good, label }) {
  const state = good == null ? "waiting" : good ? "good" : "bad";
  return html`<span class="mark" data-state=${state} role=${label ? "img" : undefined} aria-label=${label} aria-hidden=${label ? undefined : "true"}>${good == null ? "" : good ? "✓" : "✗"}</span>`;
}

function Term({ name, status }) {
  return html`<span class="term" title=${WORDS[name][1]}><b>${count(status[name])}</b> <i>${WORDS[name][0]}</i></span>`;
}

function Sum({ sum, status }) {
  const good = holds(status, sum);
  const parts = sum.parts.map((part, place) => html`<span key=${part}> ${place ? "+" : "="} <${Term} name=${part} status=${status} /></span>`);
  return html`<p class="sum"><${Mark} good=${good} label=${good ? "adds up:" : "does not add up:"} /> <${Term} name=${sum.whole} status=${status} />${parts}</p>`;
}

/** The same in the header, where it is seen from everywhere on the page; leads to the strip. */
export function TrustMark() {
  const { status } = useLive();
  const good = status && SUMS.every((sum) => holds(status, sum));
  const text = !status ? "Adding up" : good ? `Every hit is accounted for: ${count(status.accepted)} accepted` : "The sums do not add up";
  return html`<a class="trust-mark" href="#sums" title=${text}><${Mark} good=${status ? good : null} label=${text} /></a>`;
}

/** The strip. Who sees a part of the sites only has no sums, since they are of all. */
export function Trust() {
  const { status } = useLive();
  if (!status) return html`<section class="trust card" aria-label="Sums" aria-busy="true"><h2><${Mark} />Adding up</h2></section>`;
  const good = SUMS.every((sum) => holds(status, sum));
  return html`<section id="sums" class="trust card" aria-label="Sums">
    <h2><${Mark} good=${good} />${good ? "Every hit is accounted for" : "The sums do not add up"}</h2>
    <div class="sums">${SUMS.map((sum) => html`<${Sum} key=${sum.whole} sum=${sum} status=${status} />`)}</div>
    <p class="delay" title="How long the oldest hit has waited for the lake">${status.in_stream ? `Delay ${duration(status.lag_seconds)}` : "No delay"}</p>
  </section>`;
}

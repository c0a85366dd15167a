// The shop: what was earned, and what became of carts. The names of the events are in the address, since shops call them differently.

import { parameters } from "./address.js";
import { useAnswer } from "./asking.js";
import { count, figure } from "./format.js";
import { put } from "./hash.js";
import { Change, Exports } from "./rows.js";
import { Failure, Outside, Skeleton, clean, html, useEffect, useState } from "./ui.js";

const ORDER = "purchase";
const CART = "add_to_cart";
const TYPING = 400; // ms after a key

/** The tab. `given`: `order` and `cart`, the names of events. */
export function Shop({ state, given }) {
  const order = given.get("order") || ORDER;
  const cart = given.get("cart") || CART;
  const name = (change) => {
    const next = { order, cart, ...change };
    put("shop", [["order", next.order === ORDER ? "" : next.order], ["cart", next.cart === CART ? "" : next.cart]], { replace: true });
  };
  return html`<div class="names" role="group" aria-label="Names of events">
      <${Name} label="An order is the event" value=${order} usual=${ORDER} change=${(value) => name({ order: value })} />
      <${Name} label="Into a cart goes the event" value=${cart} usual=${CART} change=${(value) => name({ cart: value })} />
    </div>
    <div class="shop">
      <${Revenue} state=${state} order=${order} />
      <${Carts} state=${state} order=${order} cart=${cart} />
      <${Left} state=${state} order=${order} cart=${cart} />
    </div>`;
}

function Name({ label, value, usual, change }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => change(text.trim() || usual), TYPING);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<label class="quiet">${label} <input maxlength="200" value=${text} onInput=${(event) => setText(event.target.value)} /></label>`;
}

/** A card with the answer to a question, and its states. */
function Card({ title, question, given, wide, children }) {
  const { answer, fault, old, again } = useAnswer(question, given);
  return html`<section class="card ${wide ? "wide" : ""}" aria-label=${title} aria-busy=${String(!answer && !fault)}>
    <header class="card-head"><h2>${title}</h2><${Exports} question=${question} given=${given} /></header>
    <div class="pad"><${Failure} text=${fault} again=${again} />${answer ? html`<div data-old=${String(old)}>${children(answer)}</div>` : !fault && html`<${Skeleton} rows=${4} />`}</div>
  </section>`;
}

function Revenue({ state, order }) {
  const given = { ...parameters(state), event: order };
  return html`<${Card} title="Revenue" question="revenue" given=${given}>${({ rows }) => (rows.length ? rows.map((row) => html`<dl class="facts" key=${row.currency ?? ""}>
    <${Fact} name=${row.currency == null ? "Without a currency" : clean(row.currency, 20)} value=${money(row.revenue, row.currency)} change=${given.compare && row.change_revenue} large />
    <${Fact} name="Orders" value=${count(row.orders)} change=${given.compare && row.change_orders} />
    <${Fact} name="By order" value=${money(row.average, row.currency)} change=${given.compare && row.change_average} />
    <${Fact} name="Buyers" value=${count(row.daily_visitors)} change=${given.compare && row.change_daily_visitors} />
  </dl>`) : html`<p class="nothing">No event ${clean(order, 80)} with a value in this period. Send one: <code>event=${clean(order, 80)}&value=12.50&currency=EUR</code></p>`)}<//>`;
}

function Fact({ name, value, change, large }) {
  return html`<div class=${large ? "large" : ""}><dt>${name}</dt><dd>${value} ${change !== false && change !== "" && change !== undefined && html`<${Change} share=${change} good=${1} />`}</dd></div>`;
}

/** An amount in its currency, as the reader writes it; a code that is none stands behind it. */
function money(amount, currency) {
  if (amount == null) return "–";
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch {
    return `${figure(amount, "amount")} ${clean(currency ?? "", 10)}`.trim();
  }
}

function Carts({ state, order, cart }) {
  const given = { ...parameters(state), compare: "", order_event: order, cart_event: cart };
  return html`<${Card} title="Carts" question="carts" given=${given}>${({ rows: [row] }) => (row?.carts ? html`<dl class="facts">
    <${Fact} name="Abandoned, of those that are over" value=${figure(row.rate, "share")} large />
    <${Fact} name="Carts" value=${count(row.carts)} /><${Fact} name="Ordered" value=${count(row.ordered)} /><${Fact} name="Abandoned" value=${count(row.abandoned)} /><${Fact} name="Still open" value=${count(row.still_open)} />
    <${Fact} name="Left in them" value=${money(row.value_left, row.currency)} />
  </dl>` : html`<p class="nothing">No event ${clean(cart, 80)} in this period.</p>`)}<//>`;
}

function Left({ state, order, cart }) {
  const given = { ...parameters(state), compare: "", by: "page", order_event: order, cart_event: cart, limit: 15 };
  return html`<${Card} wide title="Where carts are left" question="carts" given=${given}>${({ rows }) => (rows.length ? html`<div class="scroll" tabindex="0" role="region" aria-label="Pages on which carts are left"><table class="table">
    <thead><tr><th scope="col">Last page</th><th scope="col" class="number">Carts</th><th scope="col" class="number">Abandoned</th><th scope="col" class="number">Rate</th><th scope="col" class="number">Left</th></tr></thead>
    <tbody>${rows.map((row, at) => html`<tr key=${at}><th scope="row"><${Outside} text=${row.value ?? "no page was seen"} /></th><td class="number">${count(row.carts)}</td><td class="number">${count(row.abandoned)}</td><td class="number">${figure(row.rate, "share")}</td><td class="number">${money(row.value_left, row.currency)}</td></tr>`)}</tbody>
  </table></div>` : html`<p class="nothing">Nothing was put into a cart in this period.</p>`)}<//>`;
}

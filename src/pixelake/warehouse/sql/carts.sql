-- carts: Carts that were filled in the period, and what became of them. Into one cart goes what a person puts there without an order, or more than `window` minutes, in between. It is followed for 24 hours.
-- group: shop
-- kind: list
-- key value text: what a row is of: `all`, the currency, or the last page seen, up to `window` minutes after the last thing was put in
-- col carts int carts: all of them
-- col ordered int carts: an order of the same person followed within `window` minutes
-- col abandoned int carts: none did
-- col still_open int carts: none did yet, and the `window` minutes are not over
-- col rate float share: abandoned, of those that are not open any more
-- col value_left amount currency: sum of `value` of what was put into the abandoned ones; null: there is none, or it is of several currencies
-- col currency text: ISO 4217, of value_left
-- option by text = all (all|currency|page): what a row is of; a cart with two currencies is in two rows
-- option cart_event text = add_to_cart: name of the event that puts something into a cart
-- option order_event text = purchase: name of the event that orders
-- option window int = 60: minutes, at most 1440
-- order: abandoned desc, carts desc, value nulls last
-- answer
with told as (
  select
    *,
    event = $cart_event as is_cart,
    lag(event = $cart_event) over steps as was_cart,
    at_us - lag(at_us) over steps as gap
  from known
  where event in ($cart_event, $order_event)
  window steps as (partition by site, who_day, who order by received_at, hit_id)
),
numbered as (
  select
    *,
    sum(cast(is_cart and not coalesce(was_cart and gap <= $cart_window, false) as integer)) over (
      partition by site, who_day, who order by received_at, hit_id rows unbounded preceding
    ) as cart
  from told
),
begun as (
  select *, min(at_us) filter (is_cart) over (partition by site, who_day, who, cart) as cart_at
  from numbered
),
followed as (
  select * from begun where cart_at >= $cart_from and cart_at < $cart_until and at_us - cart_at <= 86400000000
),
carts as (
  select
    site,
    who_day,
    who,
    cart,
    min(cart_at) as cart_at,
    max(at_us) filter (is_cart) as last_at,
    bool_or(not is_cart and was_cart and gap <= $cart_window) as is_ordered,
    last_at + $cart_window > epoch_us(get_current_timestamp()) and not is_ordered as is_open,
    arg_max(page, (received_at, hit_id)) filter (is_cart) as cart_page
  from followed
  group by all
),
pages as (
  select site, who_day, who, cart, arg_max(known.page, (known.received_at, known.hit_id)) as page
  from carts join known using (site, who_day, who)
  where known.event = 'pageview' and known.page is not null and at_us between cart_at and last_at + $cart_window
  group by all
),
amounts as (
  select site, who_day, who, cart, currency, sum(value) as amount
  from followed
  where is_cart and value is not null
  group by all
),
sorted as (
  select
    case $by when 'all' then 'all' when 'page' then coalesce(page, cart_page) else currency end as value,
    carts.*,
    currency,
    if(is_ordered or is_open, null, amount) as amount
  from carts
  left join pages using (site, who_day, who, cart)
  left join amounts using (site, who_day, who, cart)
),
counted as (
  select
    value,
    count(distinct (site, who_day, who, cart)) as carts,
    count(distinct (site, who_day, who, cart)) filter (is_ordered) as ordered,
    count(distinct (site, who_day, who, cart)) filter (is_open) as still_open,
    count(distinct coalesce(currency, '')) filter (amount is not null) as currencies,
    any_value(currency) filter (amount is not null) as currency,
    sum(amount) as amount
  from sorted
  group by value
)
select
  value,
  carts,
  ordered,
  carts - ordered - still_open as abandoned,
  still_open,
  (carts - ordered - still_open) / nullif(carts - still_open, 0) as rate,
  if(currencies = 1, amount, null)::decimal(38, 6) as value_left,
  if(currencies = 1, currency, null) as currency
from counted

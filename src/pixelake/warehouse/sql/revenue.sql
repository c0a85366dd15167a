-- revenue: What was earned, by currency. Amounts of two currencies are never added.
-- group: shop
-- kind: list
-- key currency text: ISO 4217; null: the event named none
-- sum revenue amount currency: sum of `value`, exact
-- sum orders int events: those events that have a `value`
-- calc average float currency = revenue / orders: revenue by order
-- sum daily_visitors int people: who ordered on each day, added up
-- pick event text = purchase: name of the event that earns
-- order: revenue desc, orders desc, currency nulls last
-- partial
select
  site,
  local_day,
  event,
  currency,
  sum(value) as revenue,
  count(*) as orders,
  count(distinct person) as daily_visitors
from hits
where value is not null
group by all

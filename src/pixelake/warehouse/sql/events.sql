-- events: What happened, by the name of the event.
-- group: content
-- kind: list
-- key value text: name of the event
-- sum views int views: pages seen by people
-- sum hits int hits: everything that people did: views and other events
-- sum daily_visitors int people: the visitors of each day, added up
-- order: hits desc, daily_visitors desc, value
-- partial
select
  site,
  local_day,
  event as value,
  count(*) filter (event = 'pageview') as views,
  count(*) as hits,
  count(distinct person) as daily_visitors
from hits
group by all

-- screens: Sizes of screens, by visitors.
-- group: devices
-- kind: list
-- key value text: width x height in px
-- sum views int views: pages seen by people
-- sum hits int hits: everything that people did: views and other events
-- sum daily_visitors int people: the visitors of each day, added up
-- order: daily_visitors desc, hits desc, value
-- partial
select
  site,
  local_day,
  screen as value,
  count(*) filter (event = 'pageview') as views,
  count(*) as hits,
  count(distinct person) as daily_visitors
from hits
group by all

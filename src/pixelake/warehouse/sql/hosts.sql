-- hosts: Hosts of pages.
-- group: content
-- kind: list
-- key value text: host of the page
-- sum views int views: pages seen by people
-- sum hits int hits: everything that people did: views and other events
-- sum daily_visitors int people: the visitors of each day, added up
-- order: daily_visitors desc, hits desc, value
-- partial
select
  site,
  local_day,
  host as value,
  count(*) filter (event = 'pageview') as views,
  count(*) as hits,
  count(distinct person) as daily_visitors
from hits
where host is not null
group by all

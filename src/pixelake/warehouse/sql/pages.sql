-- pages: Pages, the most viewed first.
-- group: content
-- kind: list
-- key value text: host and path of the page
-- sum views int views: how often people looked at it
-- sum daily_visitors int people: its visitors of each day, added up
-- order: views desc, daily_visitors desc, value
-- partial
select
  site,
  local_day,
  coalesce(host, '') || path as value,
  count(*) as views,
  count(distinct person) as daily_visitors
from hits
where event = 'pageview' and path is not null
group by all

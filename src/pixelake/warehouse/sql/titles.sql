-- titles: Titles of pages, the most viewed first.
-- group: content
-- kind: list
-- key value text: title of the page
-- sum views int views: how often people looked at it
-- sum daily_visitors int people: its visitors of each day, added up
-- order: views desc, daily_visitors desc, value
-- partial
select
  site,
  local_day,
  title as value,
  count(*) as views,
  count(distinct person) as daily_visitors
from hits
where event = 'pageview' and title is not null
group by all

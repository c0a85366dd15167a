-- campaigns: Visits by their campaign tags.
-- group: origin
-- kind: list
-- pick by text = utm_campaign (utm_source|utm_medium|utm_campaign|utm_term|utm_content): which tag
-- key value text: what the tag says
-- sum visits int visits: visits of people that began with this tag
-- sum daily_visitors int people: whose visits these were, of each day, added up
-- sum views int views: pages seen in these visits
-- calc bounce_rate float share = bounces / visits: share of these visits that were a single hit
-- calc seconds_per_visit float s = visit_us / 1e6 / visits: from the first hit of a visit to its last, on average
-- part bounces int: visits of a single hit
-- part visit_us int: length of visits in µs
-- order: visits desc, daily_visitors desc, value
-- partial
select
  site,
  local_day,
  tag.by as "by",
  tag.value as value,
  count(*) as visits,
  count(distinct person) as daily_visitors,
  sum(visit_views) as views,
  count(*) filter (visit_hits = 1) as bounces,
  sum(visit_us) as visit_us
from (
  select *, unnest([
    {'by': 'utm_source', 'value': entry_utm_source},
    {'by': 'utm_medium', 'value': entry_utm_medium},
    {'by': 'utm_campaign', 'value': entry_utm_campaign},
    {'by': 'utm_term', 'value': entry_utm_term},
    {'by': 'utm_content', 'value': entry_utm_content}
  ]) as tag
  from visits
)
where tag.value is not null
group by all

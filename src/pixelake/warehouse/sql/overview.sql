-- overview(site, start, end): one row: hits, views, visitors, bots, duplicates. Views and visitors are people's.
select
  count(*) as hits,
  count(*) filter (is_person and event = 'pageview') as views,
  count(distinct person) filter (is_person) as visitors,
  count(*) filter (bot) as bots,
  count(*) filter (duplicate) as duplicates
from (
  select
    *,
    coalesce(user_id, visitor_id) as person,
    not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD' as is_person
  from events
  where received_at >= $start and received_at < $end
    and concat(year, month, day, hour) between $first_hour and $last_hour
    and site = coalesce($site, site)
)

-- pages(site, start, end, limit): a row a page: value, views, visitors. People's views, most viewed first.
select
  coalesce(host, '') || path as value,
  count(*) as views,
  count(distinct coalesce(user_id, visitor_id)) as visitors
from events
where received_at >= $start and received_at < $end
  and concat(year, month, day, hour) between $first_hour and $last_hour
  and site = coalesce($site, site)
  and event = 'pageview' and path is not null
  and not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD'
group by 1
order by 2 desc, 3 desc, 1
limit $limit

-- referrers(site, start, end, limit): a row a referring host, `direct` where none was sent, without the site itself: value, views, visitors.
-- A person without a user_id is another one on each day, except across midnight: the first half hour of a day tells
-- who a visitor was on the day before (`earlier`), and who came back in it is still that one.
with earlier as (
  select visitor_id, max(visitor_before) as visitor_before
  from events
  where received_at >= $start and received_at < $end
    and concat(year, month, day) between $first_day and $last_day
    and concat(year, month, day, hour) between $first_hour and $last_hour
    and site = coalesce($site, site)
    and visitor_before is not null
  group by 1
)
select
  coalesce(referrer_host, 'direct') as value,
  count(*) as views,
  count(distinct coalesce(user_id, earlier.visitor_before, visitor_id)) as visitors
from events left join earlier using (visitor_id)
where received_at >= $start and received_at < $end
  and concat(year, month, day) between $first_day and $last_day
  and concat(year, month, day, hour) between $first_hour and $last_hour
  and site = coalesce($site, site)
  and event = 'pageview'
  and (referrer_host is null or host is null or referrer_host <> regexp_replace(host, '^www\.', ''))
  and not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD'
  and not coalesce(prefetch, false) and coalesce(proxy, '') not in ('scanner', 'prefetch-proxy')
group by 1
order by 3 desc, 2 desc, 1
limit $limit

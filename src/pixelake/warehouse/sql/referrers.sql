-- referrers(site, start, end, limit): a row a referring host, `direct` where none was sent, without the site itself: value, views, visitors.
select
  coalesce(referrer_host, 'direct') as value,
  count(*) as views,
  count(distinct coalesce(user_id, visitor_id)) as visitors
from events
where received_at >= $start and received_at < $end
  and concat(year, month, day, hour) between $first_hour and $last_hour
  and site = coalesce($site, site)
  and event = 'pageview'
  and (referrer_host is null or host is null or referrer_host <> regexp_replace(host, '^www\.', ''))
  and not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD'
group by 1
order by 3 desc, 2 desc, 1
limit $limit

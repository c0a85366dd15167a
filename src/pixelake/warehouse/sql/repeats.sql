-- repeats(site, start, end, limit): a row a page and event, most repeats first: value, event, hits, repeats. People's; a repeat is like another hit of the same visitor in the ten seconds before it.
-- All of them count in the other questions: only an event_id says for certain that two hits are one, and then the later
-- is a `duplicate` and not looked at here. Parameters that are there to get past caches are not compared.
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
),
said as (
  select
    hit_id,
    received_at,
    site,
    coalesce(user_id, earlier.visitor_before, visitor_id) as person,
    event,
    coalesce(host, '') || coalesce(path, '') as page,
    url,
    title,
    events.value as amount,
    currency,
    referrer,
    list_sort(list_filter(map_entries(properties), lambda entry: lower(entry.key) not in (
      '_', 'cachebuster', 'cache_buster', 'cachebust', 'cb', 'nocache', 'ord', 'rand', 'random', 'rnd', 'z'
    ))) as others
  from events left join earlier using (visitor_id)
  where received_at >= $start and received_at < $end
    and concat(year, month, day) between $first_day and $last_day
    and concat(year, month, day, hour) between $first_hour and $last_hour
    and site = coalesce($site, site)
    and not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD'
    and not coalesce(prefetch, false) and coalesce(proxy, '') not in ('scanner', 'prefetch-proxy')
)
select page as value, event, count(*) as hits, count(*) filter (is_repeat) as repeats
from (
  select
    page,
    event,
    person is not null and received_at - lag(received_at) over (
      partition by site, person, event, page, url, title, amount, currency, referrer, others order by received_at, hit_id
    ) <= interval 10 second as is_repeat
  from said
)
group by 1, 2
having count(*) filter (is_repeat) > 0
order by 4 desc, 3 desc, 1, 2
limit $limit

-- repeats: Hits like another of the same visitor in the ten seconds before, by page and event; all of them count elsewhere.
-- group: machines
-- kind: list
-- key value text: host and path of the page
-- key event text: name of the event
-- sum hits int hits: what people did there
-- sum repeats int hits: those like another one in the ten seconds before: same page, title, amount, referrer and properties, but for those that are there to get past caches
-- order: repeats desc, hits desc, value, event
-- answer
with said as (
  select
    hit_id,
    received_at,
    site,
    user_id,
    visitor_before,
    person,
    event,
    coalesce(host, '') || coalesce(path, '') as page,
    url,
    title,
    hits.value as amount,
    currency,
    referrer,
    list_sort(list_filter(map_entries(properties), lambda pair: lower(pair.key) not in (
      '_', 'cachebuster', 'cache_buster', 'cachebust', 'cb', 'nocache', 'ord', 'rand', 'random', 'rnd', 'z'
    ))) as others
  from hits
),
-- who was there before midnight under another id is looked for under that one, too
placed as (
  select *, person as who, false as is_again from said
  union all by name
  select *, visitor_before as who, true as is_again from said where user_id is null and visitor_before is not null
),
compared as (
  select
    hit_id,
    page,
    event,
    is_again,
    coalesce(who is not null and received_at - lag(received_at) over (
      partition by site, who, event, page, url, title, amount, currency, referrer, others order by received_at, hit_id
    ) <= interval 10 second, false) as is_repeat
  from placed
)
select
  page as value,
  event,
  count(*) filter (not is_again) as hits,
  count(distinct hit_id) filter (is_repeat) as repeats
from compared
group by 1, 2
having count(*) filter (is_repeat) > 0

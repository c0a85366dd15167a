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

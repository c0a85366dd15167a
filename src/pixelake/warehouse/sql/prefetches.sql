-- prefetches: Pages that were fetched ahead of a visit that may never come. They count nowhere else.
-- group: machines
-- kind: list
-- key value text: host and path of the page; null: not known
-- sum hits int hits: how often it was fetched ahead
-- max last_seen time: when it last was
-- order: hits desc, value
-- partial
select
  site,
  local_day,
  coalesce(host, '') || path as value,
  count(*) as hits,
  max(received_at) as last_seen
from everything
where prefetch
group by all

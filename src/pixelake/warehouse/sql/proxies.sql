-- proxies: Who fetches in people's place, by kind: mail providers, image proxies, scanners, and what fetches ahead.
-- group: machines
-- kind: list
-- key value text: kind of the proxy: gmail, apple-mpp, github-camo, scanner, prefetch-proxy, ...
-- sum hits int hits: what it fetched
-- sum counted int hits: of these, what counts as people's: behind some there is somebody, behind scanners nobody
-- max last_seen time: when it last came
-- order: hits desc, value
-- partial
select
  site,
  local_day,
  proxy as value,
  count(*) as hits,
  count(*) filter (counted) as counted,
  max(received_at) as last_seen
from everything
where proxy is not null
group by all

-- badges: Badges that were shown, by their site and where. An image proxy such as GitHub's keeps to itself who looked.
-- group: badges
-- kind: list
-- key owner text: the site whose badge it is
-- key host text: host of the page that shows it; null: none was told, as GitHub's image proxy does
-- key proxy text: who fetched it in people's place: github-camo, ...; null: nobody
-- sum shown int views: how often it was loaded, machines and repeats left out: what the badge itself counts
-- min first_seen time: when it was first loaded, within the period
-- max last_seen time: when it last was
-- order: shown desc, owner, host, proxy
-- partial
select
  site,
  local_day,
  site as owner,
  host,
  proxy,
  count(*) as shown,
  min(received_at) as first_seen,
  max(received_at) as last_seen
from hits
where event = 'badge'
group by all

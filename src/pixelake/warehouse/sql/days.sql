-- days: Views of each site on each of its days. A day without any has no row.
-- group: traffic
-- kind: list
-- option names texts: only these sites, else all
-- key site text: name of the site
-- key local_day date: the day, on the wall clock of the site
-- sum views int views: pages seen by people
-- sum hits int hits: everything that people did: views and other events
-- order: site, local_day
-- partial of series
-- answer
select site, local_day, views, hits
from summed
where $names is null or list_contains($names::varchar[], site)

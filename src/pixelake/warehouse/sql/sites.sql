-- sites: Sites by everything that arrived.
-- group: traffic
-- kind: list
-- key value text: name of the site
-- sum hits int hits: everything that arrived: people, machines and repeats
-- order: hits desc, value
-- partial
select site, local_day, site as value, count(*) as hits
from everything
group by all

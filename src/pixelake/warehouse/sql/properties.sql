-- properties: What events say beside the columns: the names of their properties; with `name` its values.
-- group: content
-- kind: list
-- option name text: of a property: its values instead of all names. A hit with several counts for each.
-- key value text: name of the property; or a value of it
-- sum hits int hits: what people did that has it
-- sum daily_visitors int people: who did so, of each day, added up
-- order: hits desc, daily_visitors desc, value
-- partial
select
  site,
  local_day,
  value,
  count(*) as hits,
  count(distinct person) as daily_visitors
from (select site, local_day, person, unnest(map_keys(properties)) as value from hits)
group by all
-- partial with name
select
  site,
  local_day,
  value,
  count(*) as hits,
  count(distinct person) as daily_visitors
from (select site, local_day, person, unnest(list_distinct(properties[$name])) as value from hits)
group by all

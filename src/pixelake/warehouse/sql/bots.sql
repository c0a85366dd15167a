-- bots: Machines that say so, or that are known, by name. People or not: it makes no difference here.
-- group: machines
-- kind: list
-- key value text: name of the machine; null: it has none
-- sum hits int hits: what it fetched
-- sum views int views: pages among that
-- max last_seen time: when it last came
-- order: hits desc, value
-- partial
select
  site,
  local_day,
  bot_name as value,
  count(*) as hits,
  count(*) filter (event = 'pageview') as views,
  max(received_at) as last_seen
from everything
where bot
group by all

-- channels: Channels that brought visits.
-- group: origin
-- kind: list
-- key value text: search, social, mail, paid, referral, direct, ...; null: not known
-- sum visits int visits: visits of people that began in the period
-- sum daily_visitors int people: whose visits these were, of each day, added up
-- sum views int views: pages seen in these visits
-- calc bounce_rate float share = bounces / visits: share of these visits that were a single hit
-- calc seconds_per_visit float s = visit_us / 1e6 / visits: from the first hit of a visit to its last, on average
-- part bounces int: visits of a single hit
-- part visit_us int: length of visits in µs
-- order: visits desc, daily_visitors desc, value
-- partial
select
  site,
  local_day,
  entry_channel as value,
  count(*) as visits,
  count(distinct person) as daily_visitors,
  sum(visit_views) as views,
  count(*) filter (visit_hits = 1) as bounces,
  sum(visit_us) as visit_us
from visits
group by all

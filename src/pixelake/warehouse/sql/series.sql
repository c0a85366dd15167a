-- series: The period, bucket by bucket.
-- group: traffic
-- kind: series
-- key bucket time: when the bucket begins, on the wall clock of `zone`
-- sum views int views: pages seen by people
-- sum hits int hits: everything that people did: views and other events
-- sum daily_visitors int people: the visitors of each day, added up; of buckets shorter than a day those of the bucket
-- sum visits int visits: visits of people that began in the bucket
-- calc bounce_rate float share = bounces / visits: share of these visits that were a single hit
-- calc views_per_visit float views = visit_views / visits: views in these visits, by visit
-- calc seconds_per_visit float s = visit_us / 1e6 / visits: from the first hit of a visit to its last
-- part bounces int: visits of a single hit
-- part visit_views int: views in visits, counted where the visit began
-- part visit_us int: length of visits in µs, counted where the visit began
-- part anonymous int: hits of people without a user_id
-- partial
select
  site,
  local_day,
  bucket_of(received_at) as bucket,
  count(*) as hits,
  count(*) filter (event = 'pageview') as views,
  count(distinct person) as daily_visitors,
  count(*) filter (not identified) as anonymous,
  0 as visits,
  0 as bounces,
  0 as visit_views,
  0 as visit_us
from hits
group by all
union all by name
select
  site,
  local_day,
  bucket_of(visit_at) as bucket,
  count(*) as visits,
  count(*) filter (visit_hits = 1) as bounces,
  sum(visit_views) as visit_views,
  sum(visit_us) as visit_us
from visits
group by all

-- cohorts: Who comes back: users by the week or month of their first event, and how many of them were there in each one after it.
-- group: shop
-- kind: list
-- col cohort date: the Monday of the week, or the first of the month, of their first event ever, which lies in the period; null: those without a `user_id`
-- col number int: weeks or months after it; 0: the same one
-- col people int people: users of the cohort with an event in that week or month, up to the end of the period
-- col size int people: users of the cohort
-- col retention float share: people of size
-- col whole bool: that week or month lies before the end of the period as a whole
-- col hits int hits: their events in it
-- col hits_share float share: of all events of the period
-- col why text: why there is no answer for this row
-- option by text = week (week|month): how long a cohort is collected, on the wall clock of the zone, else of the site
-- order: cohort nulls last, number
-- answer
with active as (
  select site, user_id, min(received_at) as first_at, date_trunc($by, on_day)::date as bucket, count(*) as hits
  from dated
  where user_id is not null
  group by all
),
users as (
  select site, user_id, min(bucket) as cohort
  from active
  group by all
  having min(first_at) >= $cohort_from
),
sizes as (select cohort, count(*) as size from users group by cohort),
counted as (
  select cohort, bucket, count(*) as people, sum(hits) as hits
  from active join users using (site, user_id)
  group by all
),
ends as (
  select
    greatest(
      (select max(bucket) from active),
      least(date_trunc($by, $cohort_last::date)::date, date_trunc($by, get_current_timestamp()::timestamp)::date)
    ) as newest,
    (select count(*) from dated where received_at >= $cohort_from) as hits
),
buckets as (
  select
    cohort,
    size,
    unnest(generate_series(cohort::timestamp, newest::timestamp, if($by = 'week', interval 7 day, interval 1 month)))::date as bucket
  from sizes, ends
)
select
  cohort,
  if($by = 'week', (bucket - cohort) // 7, date_diff('month', cohort, bucket)) as number,
  coalesce(people, 0) as people,
  size,
  coalesce(people, 0) / size as retention,
  bucket + if($by = 'week', interval 7 day, interval 1 month) <= $cohort_end::date as whole,
  coalesce(counted.hits, 0)::bigint as hits,
  coalesce(counted.hits, 0) / nullif(ends.hits, 0) as hits_share,
  null::varchar as why
from buckets left join counted using (cohort, bucket), ends
union all by name
select
  count(*) as hits,
  count(*) / any_value(ends.hits) as hits_share,
  'a person without a user_id is another one each day: whether such a one came back cannot be known' as why
from dated, ends
where user_id is null and received_at >= $cohort_from
having count(*) > 0

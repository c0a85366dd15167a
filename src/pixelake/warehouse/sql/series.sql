-- series(site, start, end, step): a row a bucket, gaps filled: bucket, hits, views, visitors. The last two are people's.
with buckets as (
  select unnest(generate_series(time_bucket($step, $start), $end - interval 1 microsecond, $step)) as bucket
),
counted as (
  select
    time_bucket($step, received_at) as bucket,
    count(*) as hits,
    count(*) filter (is_person and event = 'pageview') as views,
    count(distinct person) filter (is_person) as visitors
  from (
    select
      received_at,
      event,
      coalesce(user_id, visitor_id) as person,
      not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD' as is_person
    from events
    where received_at >= $start and received_at < $end
      and concat(year, month, day, hour) between $first_hour and $last_hour
      and site = coalesce($site, site)
  )
  group by all
)
select bucket, coalesce(hits, 0) as hits, coalesce(views, 0) as views, coalesce(visitors, 0) as visitors
from buckets left join counted using (bucket)
order by bucket

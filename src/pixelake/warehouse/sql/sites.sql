-- sites(start, end, limit): a row a site: value, hits. Everything that arrived, most hits first.
select site as value, count(*) as hits
from events
where received_at >= $start and received_at < $end
  and concat(year, month, day) between $first_day and $last_day
  and concat(year, month, day, hour) between $first_hour and $last_hour
group by 1
order by 2 desc, 1
limit $limit

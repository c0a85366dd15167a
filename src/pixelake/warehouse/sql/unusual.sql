-- unusual: Hours in which a site, or one of its top pages, referrers or countries, or a reason of rejects, departs from what these hours of the week brought in the eight weeks before.
-- group: unusual
-- kind: list
-- option top int = 10: how many sites, pages, referrers, countries and reasons are looked at, those with the most hits; 0 to 50
-- col begins time: when the first of these hours begins
-- col ends time: when the last of them ends
-- col hours int h: how many they are: what lies less than three hours apart and departs to the same side is one row
-- col what text: all (of all sites), site, page, referrer, country or reject (rejects are of no site: only without a site and a filter)
-- col value text: which one: the site, host and path of the page, host of the referrer, code of the country, reason code
-- col hits int hits: what was counted in these hours: of pages views, of rejects rejects, else everything that people did
-- col expected float hits: what was to be expected of them
-- col low int hits: the least that is usual for them
-- col high int hits: the most that is usual for them
-- col factor float: hits by what was expected
-- col score float spreads: by how many usual spreads the hits depart from what was expected; below zero: too few
-- col weeks int weeks: how many weeks before tell what is usual; in its first two weeks nothing of a site is unusual
-- col reason text: the same in words
-- order: begins desc, what, value
-- answer
with hourly as (
  select
    case
      when grouping(site) = 0 then 'site'
      when grouping(page) = 0 then 'page'
      when grouping(source) = 0 then 'referrer'
      when grouping(country) = 0 then 'country'
      else 'all'
    end as what,
    case when grouping(site) = 0 then site else coalesce(page, source, country) end as value,
    bucket,
    count(*) as hits
  from (
    select
      bucket,
      site,
      if(event = 'pageview', coalesce(host, '') || path, null) as page,
      if(host in (referrer_host, 'www.' || referrer_host), null, referrer_host) as source,
      country
    from marked
  )
  group by grouping sets ((bucket), (bucket, site), (bucket, page), (bucket, source), (bucket, country))
  having what in ('all', 'site') or value is not null
  union all
  select 'reject' as what, reason as value, bucket, count(*) as hits
  from refused
  group by all
),
lined as (
  select what, value, sum(hits)::bigint as total, list(bucket) as buckets, list(hits) as counts
  from hourly
  group by what, value
)
select what, value, buckets, counts
from lined
qualify row_number() over (partition by what order by total desc, value) <= if(what = 'all', 1, $top)

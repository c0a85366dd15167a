-- goals: How often a goal was reached. Sites declare goals (`pixelake goals`); of a site that declares none, every event that is no pageview is one.
-- group: shop
-- kind: list
-- key value text: the goal: its name, or that of the event
-- col conversions int events: events of the period that reach it
-- col visits int visits: visits that began in the period and reached it; followed across midnight
-- col rate float share: of all visits that began in the period
-- col daily_visitors int people: who reached it on each day, added up
-- col worth amount: of conversions, each as much as the goal is declared to be worth; null: nothing is declared
-- order: conversions desc, visits desc, value
-- answer
select
  value,
  coalesce(conversions, 0) as conversions,
  coalesce(reached, 0) as visits,
  coalesce(reached, 0) / nullif((select count(*) from visits), 0) as rate,
  coalesce(daily_visitors, 0) as daily_visitors,
  worth
from (select distinct unnest($goal_names::varchar[]) as value union select value from goal_hits union select value from goal_visits)
left join (
  select
    value,
    count(*) as conversions,
    count(distinct (site, local_day, person)) filter (person is not null) as daily_visitors
  from goal_hits
  group by value
) using (value)
left join (select value, count(*) as reached from goal_visits group by value) using (value)
left join (
  select value, sum(amount)::decimal(38, 6) as worth
  from goal_hits join goal_worths using (site, value)
  group by value
) using (value)

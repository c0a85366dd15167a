-- funnel: How many people go from step to step, in this order, within some hours, and where the others stay behind.
-- group: shop
-- kind: list
-- key step int: its number, from 1
-- key name text: the step: a filter that an event passes
-- col people int people: who came so far; each at most once, on the way that went furthest
-- col anonymous int people: those of them without a `user_id`: followed for a day of the site, and over midnight only if seen in the half hour after it
-- col share float share: of those who took the first step
-- col lost int people: who came so far and not to the next step; null: this is the last
-- col lost_share float share: of those who came so far
-- col seconds float s: from the step before, on median
-- option steps filters: the steps in order, each a filter, such as `event is purchase`; two to twelve of them
-- option funnel text: instead of steps: the name of a funnel that the site declares (`pixelake funnels`)
-- option window int = 24: hours from the first step to the last; the first lies in the period, the others may lie behind it
-- order: step
-- answer
with counted as (
  select
    step,
    count(*) as people,
    count(*) filter (anonymous) as anonymous,
    median(us) / 1e6 as seconds
  from reached
  group by step
),
filled as (
  select step, name, coalesce(people, 0) as people, coalesce(anonymous, 0) as anonymous, seconds
  from steps left join counted using (step)
)
select
  step,
  name,
  people,
  anonymous,
  people / nullif(first_value(people) over (order by step), 0) as share,
  people - lead(people) over (order by step) as lost,
  (people - lead(people) over (order by step)) / nullif(people, 0) as lost_share,
  seconds
from filled

-- rejects: What arrived and is no event, by reason. It may name no site, so that none can be asked for.
-- group: machines
-- kind: list
-- key value text: code of the reason: see docs/rejects.md
-- key stage text: where it was refused: decode, validate, enrich
-- sum hits int hits: how often
-- min first_seen time: when it first was
-- max last_seen time: when it last was
-- order: hits desc, value, stage
-- answer
select
  reason as value,
  stage,
  count(*) as hits,
  min(received_at) as first_seen,
  max(received_at) as last_seen
from rejected
group by all

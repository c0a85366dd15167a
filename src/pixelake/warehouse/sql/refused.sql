-- refused: Rejects, the newest first. They may name no site, so that none can be asked for.
-- group: newest
-- kind: list
-- option search text: only those with this in their reason, faults or name, in any case
-- option reason text: only those with this reason: see docs/rejects.md
-- option before text: only those behind the row with this `cursor`: the next page, also while new ones come
-- col received_at time: when it arrived
-- col stage text: where it was refused: decode, validate, enrich
-- col reason text: code of the first fault
-- col detail json: all faults: an array of objects `{reason, field, text}`
-- col hit_id text: its unique name
-- col cursor text: its place, for `before`
-- order: received_at desc, hit_id desc
-- answer
select
  received_at,
  stage,
  reason,
  detail,
  hit_id,
  epoch_us(received_at) || '.' || hit_id as cursor
from rejected
where ($reason is null or reason = $reason)
  and (
    $search is null
    or contains(lower(concat_ws(chr(10), reason, detail, hit_id)), lower($search))
  )
  and (
    $before is null
    or received_at < make_timestamptz(try_cast(split_part($before, '.', 1) as bigint))
    or (
      received_at = make_timestamptz(try_cast(split_part($before, '.', 1) as bigint))
      and hit_id < substr($before, strpos($before, '.') + 1)
    )
  )

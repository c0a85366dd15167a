-- newest: Events, the newest first.
-- group: newest
-- kind: list
-- option search text: only those with this in their url, title, path, event, referrer or site, in any case
-- option before text: only those behind the row with this `cursor`: the next page, also while new ones come
-- col received_at time: when it arrived
-- col site text: the site it counts for
-- col event text: what happened
-- col host text: host of the page
-- col path text: path of the page
-- col title text: title of the page
-- col url text: the page
-- col referrer text: where the visitor came from
-- col channel text: search, social, mail, paid, referral, direct, ...
-- col country text: country of the address
-- col city text: city of the address
-- col browser text: family of the browser
-- col os text: family of the operating system
-- col device text: desktop, mobile, tablet, tv, ...
-- col value amount: an amount
-- col currency text: of the amount
-- col user_id text: the user, as given
-- col bot_name text: name of the machine, if it is one
-- col proxy text: who fetched it in a person's place
-- col hit_id text: its unique name
-- col cursor text: its place, for `before`
-- order: received_at desc, hit_id desc
-- answer
select
  received_at,
  site,
  event,
  host,
  path,
  title,
  url,
  referrer,
  channel,
  country,
  city,
  browser,
  os,
  device,
  value,
  currency,
  user_id,
  bot_name,
  proxy,
  hit_id,
  epoch_us(received_at) || '.' || hit_id as cursor
from hits
where (
    $search is null
    or contains(lower(concat_ws(chr(10), url, title, path, event, referrer, site)), lower($search))
  )
  and (
    $before is null
    or received_at < make_timestamptz(try_cast(split_part($before, '.', 1) as bigint))
    or (
      received_at = make_timestamptz(try_cast(split_part($before, '.', 1) as bigint))
      and hit_id < substr($before, strpos($before, '.') + 1)
    )
  )

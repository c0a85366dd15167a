-- mails: Mails that were opened and clicked, with mail proxies and scanners apart; of all together, unless a row a message is asked for. Machines stand in columns of their own, so that `people` changes nothing.
-- group: mail
-- kind: list
-- option by text = all (all|message): all: one row; message: a row a message
-- option open text = open: the event that is an open
-- option click text = click: the event that is a click; it is one of a mail if it names its message
-- key value text: the message, as the property message names it; null: none was named, or the row is of all
-- col opens_gross int opens: all that arrived
-- col duplicates int opens: of these, sent again with the event_id of an earlier hit
-- col scanners int opens: of the rest, fetched by a scanner: known by its name, by HEAD, or because it came within seconds of sending
-- col machines int opens: of the rest, bots, HEAD, and what was fetched ahead
-- col apple_mpp int opens: of the rest, by Apple Mail Privacy Protection, which fetches whether or not anybody reads
-- col gmail int opens: of the rest, by Gmail's proxy: as far as is known when somebody opens, the first time alone
-- col proxies int opens: of the rest, by the proxies of other services, likewise
-- col opens int opens: of the rest: by the mail program of whoever reads. The sum of these seven is opens_gross
-- col without_recipient int opens: of opens, gmail and proxies, those of which nobody knows whose they are
-- col unique_opens int recipients: who opened, each message once: of opens, gmail and proxies, each pair of message and recipient (user_id, else the property recipient) counts once; null unless all of them name one
-- col clicks_gross int clicks: all that arrived
-- col click_scanners int clicks: of these, by a scanner of links
-- col click_machines int clicks: of the rest, by bots, HEAD, fetched ahead, or sent again
-- col clicks int clicks: what is left: those of people
-- col unique_clicks int recipients: who clicked, each message once; null unless all clicks name a recipient
-- col opened_and_clicked int recipients: of unique_opens, those who also clicked that message
-- calc click_to_open float share = opened_and_clicked / unique_opens: of those who opened, how many clicked; apple_mpp is on neither side
-- order: opens desc, opens_gross desc, clicks desc, value nulls last
-- answer
with sent as (
  select
    site,
    nullif(properties['message'][1], '') as message,
    coalesce(user_id, nullif(properties['recipient'][1], '')) as recipient,
    event = $open as is_open,
    case
      when duplicate then 'duplicate'
      when proxy = 'scanner' then 'scanner'
      when method = 'HEAD' or bot or prefetch or proxy = 'prefetch-proxy' then 'machine'
      when proxy in ('apple-mpp', 'gmail') then proxy
      when proxy is null or proxy in ('private-relay', 'office') then 'person'
      else 'proxy'
    end as kind
  from everything
  where event in ($open, $click)
),
mailed as (
  select
    *,
    is_open and kind in ('person', 'gmail', 'proxy') as is_read,
    not is_open and kind not in ('duplicate', 'scanner', 'machine') as is_followed
  from sent
  where is_open or message is not null
),
people as (
  select
    case when $by = 'message' then message end as value,
    site,
    message,
    recipient,
    max(case when is_read then 1 else 0 end) as opened,
    max(case when is_followed then 1 else 0 end) as followed
  from mailed
  where recipient is not null
  group by 1, 2, 3, 4
),
unique_people as (
  select
    value,
    cast(sum(opened) as bigint) as opened,
    cast(sum(followed) as bigint) as followed,
    cast(sum(opened * followed) as bigint) as both_of_them
  from people
  group by 1
),
summed as (
  select
    case when $by = 'message' then message end as value,
    count(*) filter (where is_open) as opens_gross,
    count(*) filter (where is_open and kind = 'duplicate') as duplicates,
    count(*) filter (where is_open and kind = 'scanner') as scanners,
    count(*) filter (where is_open and kind = 'machine') as machines,
    count(*) filter (where is_open and kind = 'apple-mpp') as apple_mpp,
    count(*) filter (where is_open and kind = 'gmail') as gmail,
    count(*) filter (where is_open and kind = 'proxy') as proxies,
    count(*) filter (where is_open and kind = 'person') as opens,
    count(*) filter (where is_read and recipient is null) as without_recipient,
    count(*) filter (where not is_open) as clicks_gross,
    count(*) filter (where not is_open and kind = 'scanner') as click_scanners,
    count(*) filter (where not is_open and kind in ('duplicate', 'machine')) as click_machines,
    count(*) filter (where is_followed) as clicks,
    count(*) filter (where is_followed and recipient is null) as clicks_without_recipient
  from mailed
  group by 1
)
select
  summed.*,
  case when without_recipient = 0 then coalesce(opened, 0) end as unique_opens,
  case when clicks_without_recipient = 0 then coalesce(followed, 0) end as unique_clicks,
  case when without_recipient + clicks_without_recipient = 0 then coalesce(both_of_them, 0) end as opened_and_clicked
from summed left join unique_people on unique_people.value is not distinct from summed.value

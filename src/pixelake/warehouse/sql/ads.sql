-- ads: Impressions of ads, gross and net, with what was discarded and why; clicks; and conversions by the last ad before them. Machines stand in columns of their own, so that `people` changes nothing.
-- group: ads
-- kind: list
-- option by text = campaign (campaign|placement|creative|all): what a row is of: the property of that name (else the tag utm_campaign, or utm_content of a creative); all: one row
-- option window int = 7: days before a conversion in which an ad may have brought it
-- option touch text = click (click|impression): what brings a conversion: the last click; or, where there is none, the last impression
-- option impression text = impression: the event that is an impression
-- option click text = click: the event that is a click on an ad; one that names a message is a mail's
-- option conversion text = purchase: the event that is a conversion
-- key value text: the campaign, placement or creative; null: none was sent
-- col gross int impressions: all that arrived, before anything is discarded
-- col heads int impressions: discarded: asked for with HEAD, which shows nothing
-- col duplicates int impressions: discarded: of the rest, sent again with the event_id of an earlier hit
-- col bots int impressions: discarded: of the rest, machines that say so, or that a list names; see lists
-- col prefetched int impressions: discarded: of the rest, fetched ahead of a page that may never be shown
-- col prefetch_proxies int impressions: discarded: of the rest, fetched by a proxy ahead of a page that may never be shown
-- col scanners int impressions: discarded: of the rest, fetched by a scanner of links
-- col repeated int impressions: discarded: of the rest, those with an impression_id of the period that counts already
-- col net int impressions: what is left: gross less the seven discards. No address discards anything: what a server sends in a person's place counts
-- col without_id int impressions: of net, those without an impression_id: each counts, as nobody can tell whether it is a repeat
-- col unsure int impressions: of net, those of which nobody can tell whether they were fetched ahead, as of a prerendered page
-- col rendered int impressions: of net, those whose tag says with the property rendered that the ad began to render; null: no tag says anything of it
-- col clicks_gross int clicks: all that arrived
-- col clicks int clicks: of people, each impression_id once; discarded as impressions are
-- calc click_rate float share = clicks / net: clicks by net impression
-- col conversions int conversions: of people, in the period, whose last ad in the window was of this row
-- col after_click int conversions: of these, after a click; the others after an impression
-- col conversions_all int conversions: all of people in the period, whatever ad brought them; the same in each row
-- col unattributed int conversions: of all, those without an ad in the window; the same in each row
-- col unknowable int conversions: of these, those of people without a user_id: an ad on another day would not be known to be theirs; the same in each row
-- calc unknowable_share float share = unknowable / conversions_all: how much of all conversions nobody can attribute; the same in each row
-- col lists text: the lists that come with this version, with their dates. An event stays as it was judged when it came; a list of your own stands in for the one of its name
-- order: net desc, gross desc, clicks desc, conversions desc, value nulls last
-- answer
with sent as (
  select
    hit_id,
    received_at,
    site,
    event,
    event = $impression as is_impression,
    event = $click and nullif(properties['message'][1], '') is null as is_click,
    person,
    user_id,
    visitor_id,
    visitor_before,
    passes,
    nullif(impression_id, '') as impression,
    case $by
      when 'campaign' then coalesce(nullif(properties['campaign'][1], ''), utm_campaign)
      when 'placement' then nullif(properties['placement'][1], '')
      when 'creative' then coalesce(nullif(properties['creative'][1], ''), utm_content)
    end as ad,
    nullif(lower(properties['rendered'][1]), '') as render,
    case
      when method = 'HEAD' then 'head'
      when duplicate then 'duplicate'
      when bot then 'bot'
      when prefetch then 'prefetch'
      when proxy in ('prefetch-proxy', 'scanner') then proxy
    end as discard,
    prefetch is null as is_unsure
  from unfiltered
  where event in ($impression, $click, $conversion) or visitor_before is not null
),
ranked as (
  select
    *,
    row_number() over same as number,
    max(case when render not in ('0', 'false', 'no') then 2 when render is not null then 1 else 0 end) over (
      partition by site, is_click, impression, discard is null, case when impression is null then hit_id end
    ) as rendering
  from sent
  where received_at >= $asked_from and (is_impression or is_click)
  window same as (partition by site, is_click, impression, discard is null order by received_at, hit_id)
),
judged as (
  select
    *,
    case when discard is null and impression is not null and number > 1 then 'repeated' else discard end as reason
  from ranked
),
touches as (
  select site, person, received_at, hit_id, is_click, ad, passes
  from sent
  where discard is null and person is not null and (is_click or (is_impression and $touch = 'impression'))
),
conversions as (
  select hit_id, received_at, site, person, user_id, visitor_id
  from sent
  where event = $conversion and discard is null and received_at >= $asked_from
),
midnights as (
  select site, visitor_id, max(visitor_before) as visitor_before
  from sent
  where discard is null and user_id is null and visitor_before is not null
  group by 1, 2
),
whose as (
  select site, person, received_at, hit_id from conversions where person is not null
  union all
  select conversions.site, midnights.visitor_before as person, conversions.received_at, conversions.hit_id
  from conversions join midnights
    on midnights.site = conversions.site and midnights.visitor_id = conversions.visitor_id
  where conversions.user_id is null
),
lined as (
  select
    *,
    row_number() over (partition by site, person order by received_at, hit_id, is_conversion) as step
  from (
    select site, person, received_at, hit_id, is_click, ad, passes, false as is_conversion from touches
    union all
    select site, person, received_at, hit_id, null as is_click, null as ad, null as passes, true as is_conversion from whose
  )
),
looked as (
  select
    *,
    max(case when is_click then step end) over before as clicked,
    max(case when not is_click then step end) over before as seen
  from lined
  window before as (partition by site, person order by step rows between unbounded preceding and current row)
),
looking as (
  select site, person, hit_id, received_at, clicked as step from looked where is_conversion and clicked is not null
  union all
  select site, person, hit_id, received_at, seen as step from looked where is_conversion and seen is not null
),
credited as (
  select
    looking.hit_id as conversion,
    lined.ad,
    lined.passes,
    lined.is_click,
    row_number() over (
      partition by looking.hit_id order by lined.is_click desc, lined.received_at desc, lined.hit_id desc
    ) as rank
  from looking join lined
    on lined.site = looking.site and lined.person = looking.person and lined.step = looking.step
  where epoch_us(looking.received_at) - epoch_us(lined.received_at) <= $window_us
),
counts as (
  select
    count(*) as conversions_all,
    count(*) filter (where credited.conversion is null) as unattributed,
    count(*) filter (where credited.conversion is null and conversions.user_id is null) as unknowable
  from conversions left join credited on credited.conversion = conversions.hit_id and credited.rank = 1
),
told as (
  select
    ad, is_impression, is_click, reason, impression is null as is_nameless,
    is_unsure, rendering, false as is_conversion
  from judged
  where passes
  union all
  select
    ad, false as is_impression, is_click, null as reason, false as is_nameless, false as is_unsure, 0 as rendering,
    true as is_conversion
  from credited
  where rank = 1 and passes
),
summed as (
  select
    ad as value,
    count(*) filter (where is_impression) as gross,
    count(*) filter (where is_impression and reason = 'head') as heads,
    count(*) filter (where is_impression and reason = 'duplicate') as duplicates,
    count(*) filter (where is_impression and reason = 'bot') as bots,
    count(*) filter (where is_impression and reason = 'prefetch') as prefetched,
    count(*) filter (where is_impression and reason = 'prefetch-proxy') as prefetch_proxies,
    count(*) filter (where is_impression and reason = 'scanner') as scanners,
    count(*) filter (where is_impression and reason = 'repeated') as repeated,
    count(*) filter (where is_impression and reason is null) as net,
    count(*) filter (where is_impression and reason is null and is_nameless) as without_id,
    count(*) filter (where is_impression and reason is null and is_unsure) as unsure,
    count(*) filter (where is_impression and reason is null and rendering = 2) as drawn,
    count(*) filter (where is_impression and reason is null and rendering > 0) as telling,
    count(*) filter (where is_click and not is_conversion) as clicks_gross,
    count(*) filter (where is_click and not is_conversion and reason is null) as clicks,
    count(*) filter (where is_conversion) as conversions,
    count(*) filter (where is_conversion and is_click) as after_click
  from told
  group by 1
)
select summed.*, case when telling > 0 then drawn end as rendered, counts.*, $lists as lists
from summed cross join counts

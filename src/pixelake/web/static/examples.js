// SELECTs to begin with. Each runs on any lake as it is, also on an empty one.

const PEOPLE = "not bot and not duplicate and not prefetch and method <> 'HEAD'";

export const EXAMPLES = [
  { name: "The newest hits", text: "select received_at, site, event, host || path as page, country, browser, bot\nfrom events\norder by received_at desc\nlimit 50" },
  { name: "Views and visitors by day", text: "select local_day, sum(views)::bigint as views, sum(daily_visitors)::bigint as visitors\nfrom daily\ngroup by local_day\norder by local_day" },
  { name: "Where visits begin, and how many end there", text: "select entry, count(*) as visits, avg((visit_hits = 1)::int) as bounce_rate\nfrom visits\ngroup by entry\norder by visits desc\nlimit 30" },
  { name: "Channels: visits, pages, seconds", text: "select entry_channel as channel, count(*) as visits,\n  avg(visit_views) as pages, avg(visit_us) / 1e6 as seconds\nfrom visits\ngroup by channel\norder by visits desc" },
  { name: "Hits by hour of the day (UTC)", text: `select extract(hour from received_at) as hour_utc, count(*) as hits\nfrom events\nwhere ${PEOPLE}\ngroup by hour_utc\norder by hour_utc` },
  { name: "Hits of the last days, by the hour", text: `select date_trunc('hour', received_at) as begins, count(*) as hits\nfrom events\nwhere received_at > now() - interval 3 day and ${PEOPLE}\ngroup by begins\norder by begins` },
  { name: "Properties that events have", text: "select name, count(*) as hits\nfrom (select unnest(map_keys(properties)) as name from events)\ngroup by name\norder by hits desc" },
  { name: "Machines by name", text: "select coalesce(bot_name, 'unknown') as machine, count(*) as hits\nfrom events\nwhere bot\ngroup by machine\norder by hits desc\nlimit 30" },
  { name: "What was refused, and why", table: "rejects", text: "select reason, count(*) as hits, max(received_at) as last\nfrom rejects\ngroup by reason\norder by hits desc" },
];

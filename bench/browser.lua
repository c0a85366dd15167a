-- Traffic for wrk: browser.http filled in, 5,000 ways, each request with an event id of its own.
--     wrk -s browser.lua URL [-- close]      `close`: a new connection for each request
-- Prints: RESULT answers µs not_200 errors p50_µs p99_µs p99.9_µs
local WAYS = 5000
local here = debug.getinfo(1, "S").source:match("^@(.*)browser%.lua$")
local befores, afters = {}, {}
local tag, count = "", 0

function init(args)
  local file = assert(io.open(here .. "browser.http"))
  local template = file:read("*a"):gsub("\n", "\r\n")
  file:close()
  tag = os.time() .. tostring(befores):match("0x(%x+)") .. "-"
  for n = 1, WAYS do
    local values = {
      host = wrk.host .. ":" .. wrk.port,
      connection = args[1] == "close" and "close" or "keep-alive",
      site = n % 100,
      page = n * 31 % 5000,
      major = 100 + n % 40,
      build = n * 7 % 6000,
      event = "{event}",
    }
    befores[n], afters[n] = template:gsub("{(%a+)}", values):match("^(.-){event}(.*)$")
  end
end

function request()
  count = count + 1
  local way = count % WAYS + 1
  return befores[way] .. tag .. count .. afters[way]
end

function done(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration, summary.errors.status,
    errors, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end

-- Traffic for wrk: what a browser sends for an image on a page, with thousands of user agents, pages and ids.
local count = 0
local seed = math.random(1, 1000000)

request = function()
  count = count + 1
  local n = seed + count
  local agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"
    .. (100 + n % 40) .. ".0." .. (n * 7 % 6000) .. ".0 Safari/537.36"
  local page = n * 31 % 5000
  return wrk.format("GET",
    "/pixel.gif?site=blog.example&url=https%3A%2F%2Fblog.example%2Fposts%2F" .. page
      .. "&title=A%20page%20about%20" .. page .. "&event_id=" .. seed .. "-" .. count,
    {
      ["User-Agent"] = agent,
      ["Accept"] = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
      ["Accept-Language"] = "en-US,en;q=0.9,de;q=0.8",
      ["Accept-Encoding"] = "gzip, deflate, br, zstd",
      ["Referer"] = "https://blog.example/posts/" .. page,
      ["Sec-Fetch-Dest"] = "image",
      ["Sec-Fetch-Mode"] = "no-cors",
      ["Sec-Fetch-Site"] = "cross-site",
      ["sec-ch-ua"] = '"Chromium";v="138", "Not)A;Brand";v="8", "Google Chrome";v="138"',
      ["sec-ch-ua-mobile"] = "?0",
      ["sec-ch-ua-platform"] = '"Windows"',
    })
end

done = function(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d %d\n", summary.requests, summary.duration, summary.errors.status,
    errors, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end

-- Raw requests from a file, asked in turn from a number on; the figures as one line of JSON.

local requests, turn = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  while true do
    local length = file:read("*n", 1)
    if not length then break end
    requests[#requests + 1] = file:read(length)
  end
  file:close()
  turn = tonumber(args[2]) % #requests
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "failed": %d, "p50": %.9f, "p99": %.9f, "longest": %.9f}\n',
    summary.requests - errors.status, summary.duration / 1e6, errors.status + broken,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, latency.max / 1e6))
end

-- What wrk counted, on one line.
done = function(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("summary %d %d %d %d\n", summary.requests, summary.duration, errors.status, broken))
end

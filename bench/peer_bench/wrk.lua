-- Tells what wrk measured as JSON, on a line of its own. Nothing here runs while it measures.
function done(summary, latency, requests)
    local errors = summary.errors
    local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '\nfigures: {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "wrong": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), wrong))
end

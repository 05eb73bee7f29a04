-- What the scripts of wrk have in common: failures by kind, and the line that common.Wrk reads:
-- BENCH {"requests": ..., "p50_us": ..., "failures": {"HTTP 502": 1, ...}}
local threads, failed = {}, {}
failures = "" -- global: wrk hands it from a thread to done()

function setup(thread)
	table.insert(threads, thread)
end

function count(kind)
	failed[kind] = (failed[kind] or 0) + 1
	local words = {}
	for name, number in pairs(failed) do
		table.insert(words, string.format('"%s": %d', name, number))
	end
	failures = table.concat(words, ", ")
end

-- kinds: of wrk's own errors, those that response() does not see.
function report(summary, latency, requests, kinds)
	local words = {}
	for _, kind in ipairs(kinds) do
		if summary.errors[kind] > 0 then
			table.insert(words, string.format('"wrk %s": %d', kind, summary.errors[kind]))
		end
	end
	for _, thread in ipairs(threads) do
		local text = thread:get("failures")
		if text ~= "" then table.insert(words, text) end
	end
	print(string.format('BENCH {"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "p999_us": %d, ' ..
		'"longest_us": %d, "failures": {%s}}', requests, summary.duration, latency:percentile(50),
		latency:percentile(99), latency:percentile(99.9), latency.max, table.concat(words, ", ")))
end

-- The sum of a global of all threads.
function sum_of(name)
	local sum = 0
	for _, thread in ipairs(threads) do
		sum = sum + thread:get(name)
	end
	return sum
end

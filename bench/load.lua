-- Asks for the path of the URL. Arguments: milliseconds between an answer and the next request of a connection
-- (0: none), and the start of every right answer ("": answers are not looked at, which costs least).
-- Prints one line: BENCH {"requests": ..., "p50_us": ..., "failures": {"HTTP 502": 1, ...}}
local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

local function count(kind)
	failed[kind] = (failed[kind] or 0) + 1
	local words = {}
	for name, number in pairs(failed) do
		table.insert(words, string.format('"%s": %d', name, number))
	end
	failures = table.concat(words, ", ")
end

-- wrk looks for delay() and response() after init(): only those that are needed exist.
function init(args)
	local pause, right = tonumber(args[1]), args[2]
	failed, failures = {}, ""
	if pause > 0 then
		function delay()
			return pause
		end
	end
	if right ~= "" then
		function response(status, headers, body)
			if status ~= 200 then
				count("HTTP " .. status)
			elseif string.sub(body, 1, #right) ~= right then
				count("wrong answer")
			end
		end
	end
end

function done(summary, latency, requests)
	local words, errors = {}, summary.errors
	for _, kind in ipairs({ "connect", "read", "write", "timeout", "status" }) do
		if errors[kind] > 0 then
			table.insert(words, string.format('"wrk %s": %d', kind, errors[kind]))
		end
	end
	for _, thread in ipairs(threads) do
		local text = thread:get("failures")
		if text ~= "" then table.insert(words, text) end
	end
	print(string.format('BENCH {"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "p999_us": %d, "longest_us": %d, "failures": {%s}}',
		summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
		latency:percentile(99.9), latency.max,
		table.concat(words, ", ")))
end

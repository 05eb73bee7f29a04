-- Posts to /mix.php: of 40 requests 36 are short, 3 burn 5 ms of CPU time, one naps. Argument: ms of the nap
-- (0: all are short).
-- Only status 200 with the body's checksum and "whole" is right. After a failure the thread's next request waits
-- 20 ms, as a visitor would: otherwise a site that is down would count as many failures as the client can make.
-- Prints one line, as load.lua does.
local threads, again = {}, 20

function setup(thread)
	table.insert(threads, thread)
end

function init(args)
	local body, headers = string.rep("0123456789abcdef", 64), { ["Content-Type"] = "application/octet-stream" }
	short = wrk.format("POST", "/mix.php", headers, body)
	busy = wrk.format("POST", "/mix.php?work=5", headers, body)
	long = wrk.format("POST", "/mix.php?nap=" .. args[1], headers, body)
	if args[1] == "0" then
		busy, long = short, short
	end
	right = "^release [12] body 7dd7e68f1907b4665684355797725b8e whole$"
	asked, answered, failed, failures, pause = 0, 0, {}, "", 0
end

function request()
	asked = asked + 1
	if asked % 40 == 0 then return long end
	return asked % 13 == 0 and busy or short
end

function delay()
	local now = pause
	pause = 0
	return now
end

local function count(kind)
	pause = again
	failed[kind] = (failed[kind] or 0) + 1
	local words = {}
	for name, number in pairs(failed) do
		table.insert(words, string.format('"%s": %d', name, number))
	end
	failures = table.concat(words, ", ")
end

function response(status, headers, body)
	answered = answered + 1
	if status ~= 200 then
		count("HTTP " .. status)
	elseif string.find(body, "cut short", 1, true) then
		count("cut short")
	elseif not string.find(body, right) then
		count("wrong answer")
	end
end

function done(summary, latency, requests)
	local words, errors, sum = {}, summary.errors, 0
	for _, kind in ipairs({ "connect", "read", "write", "timeout" }) do
		if errors[kind] > 0 then
			table.insert(words, string.format('"wrk %s": %d', kind, errors[kind]))
		end
	end
	for _, thread in ipairs(threads) do
		sum = sum + thread:get("answered")
		local text = thread:get("failures")
		if text ~= "" then table.insert(words, text) end
	end
	print(string.format('BENCH {"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "p999_us": %d, "longest_us": %d, "failures": {%s}}',
		sum, summary.duration, latency:percentile(50), latency:percentile(99),
		latency:percentile(99.9), latency.max, table.concat(words, ", ")))
end

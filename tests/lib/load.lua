-- Posts to /check.php and judges each answer: only status 200 with exactly the text of one of the releases
-- is right. Arguments: the body, milliseconds that each request naps, and every 40th, the right texts, and
-- milliseconds that a connection waits before its next request.
-- Prints one line: LOAD {"requests": ..., "bad": ..., ...}; `requests` counts the right ones and the bad ones.
local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

function init(args)
	local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
	short = wrk.format("POST", "/check.php?nap=" .. args[2], headers, args[1])
	long = wrk.format("POST", "/check.php?nap=" .. args[3], headers, args[1])
	right = { [args[4]] = true, [args[5]] = true }
	asked, good, bad, first_bad = 0, 0, 0, ""
	local pause = tonumber(args[6])
	if pause > 0 then
		delay = function() return pause end
	end
end

function request()
	asked = asked + 1
	return asked % 40 == 0 and long or short
end

function response(status, headers, body)
	if status == 200 and right[body] then
		good = good + 1
		return
	end
	bad = bad + 1
	if first_bad == "" then
		first_bad = status .. " " .. string.gsub(string.sub(body, 1, 60), "[^%w ]", "?")
	end
end

function done(summary, latency, requests)
	local sum, first = { good = 0, bad = 0 }, ""
	for _, thread in ipairs(threads) do
		sum.good = sum.good + thread:get("good")
		sum.bad = sum.bad + thread:get("bad")
		if first == "" then first = thread:get("first_bad") end
	end
	local errors = summary.errors
	print(string.format('LOAD {"requests": %d, "bad": %d, "first_bad": "%s", "connect": %d, "read": %d, ' ..
		'"write": %d, "timeout": %d, "longest_ms": %d}', sum.good + sum.bad, sum.bad, first,
		errors.connect, errors.read, errors.write, errors.timeout, latency.max / 1000))
end

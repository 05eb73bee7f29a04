-- Posts to /mix.php: of 40 requests 36 are short, 3 burn 5 ms of CPU time, one naps. Argument: ms of the nap
-- (0: all are short).
-- Only status 200 with the body's checksum and "whole" is right. After a failure the thread's next request waits
-- 20 ms, as a visitor would: otherwise a site that is down would count as many failures as the client can make.
require "count"

local again = 20

function init(args)
	local body, headers = string.rep("0123456789abcdef", 64), { ["Content-Type"] = "application/octet-stream" }
	short = wrk.format("POST", "/mix.php", headers, body)
	busy = wrk.format("POST", "/mix.php?work=5", headers, body)
	long = wrk.format("POST", "/mix.php?nap=" .. args[1], headers, body)
	if args[1] == "0" then
		busy, long = short, short
	end
	right = "^release [12] body 7dd7e68f1907b4665684355797725b8e whole$"
	asked, answered, pause = 0, 0, 0
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

local function fail(kind)
	pause = again
	count(kind)
end

function response(status, headers, body)
	answered = answered + 1
	if status ~= 200 then
		fail("HTTP " .. status)
	elseif string.find(body, "cut short", 1, true) then
		fail("cut short")
	elseif not string.find(body, right) then
		fail("wrong answer")
	end
end

function done(summary, latency)
	report(summary, latency, sum_of("answered"), { "connect", "read", "write", "timeout" })
end

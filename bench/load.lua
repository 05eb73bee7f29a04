-- Asks for the path of the URL. Arguments: milliseconds between an answer and the next request of a connection
-- (0: none), and the start of every right answer ("": answers are not looked at, which costs least).
require "count"

-- wrk looks for delay() and response() after init(): only those that are needed exist.
function init(args)
	local pause, right = tonumber(args[1]), args[2]
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

function done(summary, latency)
	report(summary, latency, summary.requests, { "connect", "read", "write", "timeout", "status" })
end

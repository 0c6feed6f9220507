-- For wrk: every request shows another token.
-- Arguments: a file with a token a line, the first line to use, how many, and, where none may be used twice, how many
-- lines more there are for the requests that are under way when those are used up. Then the run ends.

local requests = {}
local sent = 0
local many, spare

function init(args)
  local first = tonumber(args[2])
  many = tonumber(args[3])
  spare = tonumber(args[4])
  local last = first + many - 1 + (spare or 0)
  local number = 0
  for token in io.lines(args[1]) do
    number = number + 1
    if number > last then break end
    if number >= first then
      wrk.headers["Authorization"] = "Bearer " .. token
      requests[#requests + 1] = wrk.format("GET")
    end
  end
  assert(#requests == many + (spare or 0), "there are too few tokens")
end

function request()
  sent = sent + 1
  if spare and sent >= many then
    wrk.thread:stop()
    return assert(requests[sent], "every token is used up")
  end
  return requests[(sent - 1) % many + 1]
end

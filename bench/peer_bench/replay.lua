-- Asks what a file holds, one request after the other and from the beginning when all were asked:
-- for each request a line with its length, then its bytes.
dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "wrk.lua")

local requests, at = {}, 0

function init(args)
    local file = assert(io.open(args[1], "rb"))
    local length = file:read("*n")
    while length do
        file:read(1)
        requests[#requests + 1] = file:read(length)
        length = file:read("*n")
    end
    file:close()
end

function request()
    at = at % #requests + 1
    return requests[at]
end

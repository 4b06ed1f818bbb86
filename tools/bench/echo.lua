-- wrk's script for a raw echo server: what wrk sends comes back, so it sends what it wants to receive. Only the
-- first request must be one of HTTP: wrk reads it before it starts.
local first = true

function request()
  if first then
    first = false
    return wrk.format("GET", "/")
  end
  return "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\nfrom accept to co_await\n"
end

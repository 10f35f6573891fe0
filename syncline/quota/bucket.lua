-- A token bucket whose tokens come back a window after the answer of their call.
--
-- KEYS (one hash tag, so one slot)
--   1    state    hash
--          seeded:<W>                the window of W microseconds was rebuilt since Redis was emptied
--          frozen                    nobody takes before this moment
--          events_at, person_at      when the events lane, or a person, last asked
--          paced                     when a lower lane may next go into the reserve
--          daily_left, daily_reset   calls left today, and when a new day starts
--          said_calls, said_window   the limit that the server itself named last
--          phantoms                  how many phantoms were ever made; numbers them
--   2    waiting  zset, connection -> when it was told to come back; of one queue of lanes
--   3    served   zset, connection -> when it last got calls; of the same queue
--   4..  window   zset for each window, token -> when it comes back
-- ARGV
--   1 operation   2 now ('' = the server's clock)   3 calls a day (-1 = no such limit)
--   4 n = number of windows   then n times: calls, length, calls kept for events
--   then the operation's own arguments, described at each
-- All moments and lengths are whole microseconds: below 2^53, so exact in Lua's doubles.
-- An operation that needs a rebuilt bucket answers {-1} where it is not.

local KEEP = 60000000 -- tokens that came back stay this long: `learn` looks back, give_back repeats

local STATE, WAITING, SERVED = KEYS[1], KEYS[2], KEYS[3]
local now
if ARGV[2] == '' then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
  now = tonumber(ARGV[2])
end

-- Lua writes large numbers as 1.7e+15 unless it is told not to.
local function whole(number) return string.format('%.0f', number) end
local function field(name) return tonumber(redis.call('HGET', STATE, name) or nil) end
local function set(name, value) redis.call('HSET', STATE, name, whole(value)) end

local windows, longest = {}, nil
local cursor = 5
for i = 1, tonumber(ARGV[4]) do
  local window = {
    key = KEYS[3 + i],
    calls = tonumber(ARGV[cursor]),
    length = tonumber(ARGV[cursor + 1]),
    kept = tonumber(ARGV[cursor + 2]),
  }
  windows[i] = window
  if not longest or window.length > longest.length then longest = window end
  cursor = cursor + 3
end
local function argument(index) return ARGV[cursor + index - 1] end

local function window_of(length)
  for _, window in ipairs(windows) do
    if window.length == length then return window end
  end
end

-- The server's own limit corrects ours downwards. Where it names a window that we do not keep,
-- the longest of ours is narrowed so far that no window of the server's can overflow.
local function correct()
  local said_calls, said_window = field('said_calls'), field('said_window')
  if said_calls then
    local window = window_of(said_window) or longest
    local allowed = math.floor(said_calls / math.ceil(said_window / window.length))
    window.calls = math.max(1, math.min(window.calls, allowed))
  end
  for _, window in ipairs(windows) do window.kept = math.min(window.kept, window.calls - 1) end
end

local function occupied(window, since)
  return redis.call('ZCOUNT', window.key, '(' .. whole(since), '+inf')
end

local function room(window) return window.calls - occupied(window, now) end

local function add(window, tokens, back_at, option)
  for first = 1, #tokens, 1000 do
    local members = {}
    for i = first, math.min(first + 999, #tokens) do
      members[#members + 1] = whole(back_at)
      members[#members + 1] = tokens[i]
    end
    if option then
      redis.call('ZADD', window.key, option, unpack(members))
    else
      redis.call('ZADD', window.key, unpack(members))
    end
  end
end

local function tokens_from(index)
  local tokens = {}
  for i = cursor + index - 1, #ARGV do tokens[#tokens + 1] = ARGV[i] end
  return tokens
end

local function is_seeded()
  for _, window in ipairs(windows) do
    if not field('seeded:' .. whole(window.length)) then return false end
  end
  return true
end

-- Until the server names its own reset, a day ends at midnight UTC.
local function daily_left()
  local calls = tonumber(ARGV[3])
  if calls < 0 then return nil end
  local left, reset = field('daily_left'), field('daily_reset')
  if not left or now >= reset then
    left = calls
    set('daily_left', left)
    set('daily_reset', now - now % 86400000000 + 86400000000)
  end
  return left
end

-- How long until `kept` + 1 calls are free. A call under way can be back after a whole window at
-- the earliest, so its late moment, meant for dead holders, is not what a waiter is told.
local function wait_for(window, kept)
  local index = occupied(window, now) - (window.calls - kept)
  if index < 0 then return 0 end
  local found = redis.call(
    'ZRANGEBYSCORE', window.key, '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', index, 1)
  return math.min(tonumber(found[2]) - now, window.length)
end

local function longest_wait(reserved)
  local wait = 0
  for _, window in ipairs(windows) do
    wait = math.max(wait, wait_for(window, reserved and window.kept or 0))
  end
  return wait
end

local function is_recent(name, memory)
  local at = field(name)
  return at and now - at < memory
end

-- Those who go first may use the reserve, which is kept for them while there are any.
local function goes_first(lane) return lane == 'events' or lane == 'person' end

local function is_reserved(lane, memory, person_memory)
  return not goes_first(lane)
    and (is_recent('events_at', memory) or is_recent('person_at', person_memory))
end

-- What this lane may take now, and if nothing, how long until it may. In the reserve a lower lane
-- goes by a schedule of L/W that every call of it moves on: after a burst it has to rest until the
-- schedule caught up, and only then one call each W/L. So a burst leaves the reserve to events for
-- nearly the whole window, and lower lanes never starve.
local function usable(lane, memory, person_memory)
  local free, spare = math.huge, math.huge
  for _, window in ipairs(windows) do
    local space = room(window)
    free = math.min(free, space)
    spare = math.min(spare, space - window.kept)
  end
  local left = daily_left()
  if left and left <= 0 then return 0, field('daily_reset') - now end
  if left then free, spare = math.min(free, left), math.min(spare, left) end
  if not is_reserved(lane, memory, person_memory) then return free, longest_wait(false) end
  if spare >= 1 then return spare, 0 end
  local paced = (field('paced') or 0) - now
  if paced <= 0 then return math.min(free, 1), longest_wait(false) end
  return 0, math.min(math.max(paced, longest_wait(false)), longest_wait(true))
end

-- A lower lane's schedule: W/L a call of the slowest window, never more than its W ahead.
local function pace(calls)
  local slowest = windows[1]
  for _, window in ipairs(windows) do
    if window.length / window.calls > slowest.length / slowest.calls then slowest = window end
  end
  local moved = math.max(field('paced') or 0, now) + calls * slowest.length / slowest.calls
  set('paced', math.min(moved, now + slowest.length))
end

-- How many connections want calls now, this one included; and whether it is another's turn: this
-- one had its share since the other was due, or there is not one call for each and the other was
-- served longer ago. Both mean that the other was served before this one, so never all wait.
local function wanting(connection, free, memory)
  redis.call('ZREMRANGEBYSCORE', WAITING, '-inf', '(' .. whole(now - memory))
  local due = redis.call('ZRANGEBYSCORE', WAITING, '-inf', whole(now), 'WITHSCORES')
  local mine = tonumber(redis.call('ZSCORE', SERVED, connection) or -1)
  local count, had_share, served_later = 1, false, false
  for i = 1, #due, 2 do
    if due[i] ~= connection then
      count = count + 1
      had_share = had_share or mine >= tonumber(due[i + 1])
      served_later = served_later or tonumber(redis.call('ZSCORE', SERVED, due[i]) or -1) < mine
    end
  end
  return count, had_share or (free < count and served_later)
end

local function send_away(connection, wait)
  redis.call('ZADD', WAITING, whole(now + wait), connection)
  return {0, wait}
end

local operations = {}

-- lane ('events', 'person' or another), connection, deadline, how long the reserve is kept for events
-- and for a person, waiting memory, turn, tokens...
-- -> {number granted of the tokens, in order; wait}
function operations.take()
  if not is_seeded() then return {-1} end
  local lane, connection, deadline = argument(1), argument(2), tonumber(argument(3))
  local memory, person_memory = tonumber(argument(4)), tonumber(argument(5))
  local waiting_memory = tonumber(argument(6))
  local tokens = tokens_from(8)
  if lane == 'events' then set('events_at', now) end
  if lane == 'person' then set('person_at', now) end
  for _, window in ipairs(windows) do
    redis.call('ZREMRANGEBYSCORE', window.key, '-inf', whole(now - KEEP))
  end
  local frozen = field('frozen')
  if frozen and frozen > now then return send_away(connection, frozen - now) end
  local free, wait = usable(lane, memory, person_memory)
  if free < 1 then return send_away(connection, math.max(wait, 1)) end
  local count, others_turn = wanting(connection, free, waiting_memory)
  if others_turn then return send_away(connection, tonumber(argument(7))) end

  local granted = math.min(#tokens, math.ceil(free / count))
  for i = #tokens, granted + 1, -1 do tokens[i] = nil end
  for _, window in ipairs(windows) do add(window, tokens, now + deadline + window.length) end
  if daily_left() then redis.call('HINCRBY', STATE, 'daily_left', -granted) end
  if not goes_first(lane) then pace(granted) end
  redis.call('ZREM', WAITING, connection)
  redis.call('ZREMRANGEBYSCORE', SERVED, '-inf', whole(now - KEEP))
  redis.call('ZADD', SERVED, whole(now), connection)
  return {granted, 0}
end

-- deadline, tokens... -> {1 if all may be sent, else 0}
-- The deadline counts anew from here, since the call is sent from here. Known tokens need room too:
-- a bucket rebuilt from the ledger holds the askers' own rows beside all that was sent before, which
-- can be more than the limit, and then no more may be sent.
function operations.hold()
  if not is_seeded() then return {-1} end
  local deadline, tokens = tonumber(argument(1)), tokens_from(2)
  if (field('frozen') or 0) > now then return {0} end
  for _, window in ipairs(windows) do
    local unknown = 0
    for _, token in ipairs(tokens) do
      if tonumber(redis.call('ZSCORE', window.key, token) or 0) <= now then
        unknown = unknown + 1
      end
    end
    if unknown > room(window) then return {0} end
  end
  for _, window in ipairs(windows) do add(window, tokens, now + deadline + window.length) end
  return {1}
end

-- '1' if the calls were sent, else '0'; tokens... -> {}
-- LT: a token that is given back twice keeps its first moment.
function operations.give_back()
  local was_sent, tokens = argument(1) == '1', tokens_from(2)
  local removed = 0
  for _, window in ipairs(windows) do
    if was_sent then
      add(window, tokens, now + window.length, 'LT')
    else
      removed = redis.call('ZREM', window.key, unpack(tokens))
    end
  end
  if removed > 0 and daily_left() then redis.call('HINCRBY', STATE, 'daily_left', removed) end
  return {}
end

-- length -> {}
function operations.freeze()
  set('frozen', math.max(field('frozen') or 0, now + tonumber(argument(1))))
  return {}
end

-- When the day's counter is set by the server, calls under way may not be in it yet.
local function learn_daily(remaining, reset)
  if not daily_left() then return end
  if remaining then
    local under_way = occupied(windows[1], now + windows[1].length)
    set('daily_left', math.max(0, remaining - under_way))
  end
  if reset then set('daily_reset', now + reset) end
end

-- calls, window, remaining, daily remaining, daily reset, age (each '' where not known) -> {}
-- Somebody else may use the key too: where the server counted more calls than we knew of at that
-- time, the difference is occupied by phantoms for a window.
function operations.learn()
  local calls, length, remaining = tonumber(argument(1)), tonumber(argument(2)), tonumber(argument(3))
  learn_daily(tonumber(argument(4)), tonumber(argument(5)))
  if calls and length then
    set('said_calls', calls)
    set('said_window', length)
  end
  local window = length and window_of(length)
  if not (window and remaining and is_seeded()) then return {} end
  calls = calls or window.calls
  local age = math.min(tonumber(argument(6)), KEEP)
  local phantoms = {}
  for _ = 1, math.min(calls - remaining - occupied(window, now - age), calls) do
    phantoms[#phantoms + 1] = 'phantom:' .. redis.call('HINCRBY', STATE, 'phantoms', 1)
  end
  add(window, phantoms, now + window.length)
  return {}
end

-- token, moment it comes back for the longest window, ... -> {1 if it seeded, 0 if another did}
-- NX: what was given back or held since Redis was emptied is known better than the ledger knew.
function operations.seed()
  if is_seeded() then return {0} end
  local spent = tokens_from(1)
  for _, window in ipairs(windows) do
    local name = 'seeded:' .. whole(window.length)
    if not field(name) then
      for i = 1, #spent, 2 do
        local back_at = tonumber(spent[i + 1]) - (longest.length - window.length)
        if back_at > now then add(window, {spent[i]}, back_at, 'NX') end
      end
      set(name, now)
    end
  end
  return {1}
end

-- -> {frozen until or 0, daily left or -1, then for each window: calls allowed, calls left, how long
-- until one may be made, and until all of them may}
function operations.left()
  local frozen = field('frozen') or 0
  local answer = {frozen > now and frozen or 0, daily_left() or -1}
  for _, window in ipairs(windows) do
    answer[#answer + 1] = window.calls
    answer[#answer + 1] = math.max(0, room(window))
    answer[#answer + 1] = wait_for(window, 0)
    answer[#answer + 1] = wait_for(window, window.calls - 1)
  end
  return answer
end

correct()
return operations[ARGV[1]]()

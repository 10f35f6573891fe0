-- A token bucket whose tokens come back a window after the answer of their call.
--
-- KEYS (one hash tag, so one slot)
--   1    state    hash
--          seeded:<W>                the window of W microseconds was rebuilt since Redis was emptied
--          frozen                    nobody takes before this moment
--          events_at, person_at      when the events lane, or a person, last asked
--          paced                     when a lower lane may next go into the reserve
--          daily_left, daily_reset   calls left today, and when a new day starts
--          named                     the limits that the server named: "window calls moment;" of each
--          phantoms                  how many phantoms were ever made; numbers them
--          and of each breaker, <E> being an endpoint or '' for the whole key:
--          failures:<E>              calls in a row that failed
--          held:<E>                  where it is open: when the next caller may try
--          level:<E>                 how often one has tried since it opened; waits grow by it
--          probe:<E>                 the token of the one that is trying
--          shut:<E>                  whether it is the other side that keeps itself shut
--   2    waiting  zset, connection -> when it was told to come back; of one queue of lanes
--   3    served   zset, connection -> when it last got calls; of the same queue
--   4..  window   zset for each window of ours, token -> when it comes back
-- ARGV
--   1 operation   2 now ('' = the server's clock)   3 calls a day (-1 = no such limit)
--   4..7 the first and the longest wait of a breaker, and those where the other side is shut
--   8 n = number of windows   then n times: calls, length, calls kept for events
--   then the operation's own arguments, described at each
-- All moments and lengths are whole microseconds: below 2^53, so exact in Lua's doubles.
-- An operation that needs a rebuilt bucket answers {-1} where it is not.

local BELIEVED = 3600000000 -- so long a named limit holds that is not named again
local DISPROVED = 3 -- times as many calls as a limit allows: twice as many pass where its window does
                    -- not slide, and some are those that were refused
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
local cursor = 9
for i = 1, tonumber(ARGV[8]) do
  local window = {
    key = KEYS[3 + i],
    earlier = 0,
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

-- All that holds at once: our windows, and what the server named beside them. A named window has
-- no tokens of its own: those of our longest come back in it `earlier` by the difference.
local limits = {unpack(windows)}

-- The limits that the server named and that are still believed.
local function named_limits()
  local found = {}
  for length, calls, at in (redis.call('HGET', STATE, 'named') or ''):gmatch('(%d+) (%d+) (%d+);') do
    local one = {length = tonumber(length), calls = tonumber(calls), at = tonumber(at)}
    if now - one.at <= math.max(BELIEVED, one.length) then found[#found + 1] = one end
  end
  return found
end

-- What the server names corrects ours downwards. A limit of another window holds beside ours, so a
-- short one spreads our calls and takes none away that it allows. Of a window longer than ours the
-- past calls are not known, so our longest is narrowed until no window of the server's can overflow;
-- where that would leave less than one call in ours, the longer one has to hold too.
local function correct()
  local share = longest.kept / longest.calls
  for _, named in ipairs(named_limits()) do
    local times = math.ceil(named.length / longest.length)
    local same = window_of(named.length)
    local narrowed = same or (times > 1 and longest)
    if narrowed then
      narrowed.calls = math.max(1, math.min(narrowed.calls, math.floor(named.calls / times)))
    end
    if not same and named.calls < longest.calls * times then
      limits[#limits + 1] = {
        key = longest.key,
        earlier = longest.length - named.length,
        calls = named.calls,
        length = named.length,
        kept = math.max(1, math.floor(named.calls * share)),
      }
    end
  end
  for _, limit in ipairs(limits) do limit.kept = math.min(limit.kept, limit.calls - 1) end
end

local function occupied(window, since)
  return redis.call('ZCOUNT', window.key, '(' .. whole(since + window.earlier), '+inf')
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
    'ZRANGEBYSCORE', window.key, '(' .. whole(now + window.earlier), '+inf', 'WITHSCORES',
    'LIMIT', index, 1)
  return math.min(tonumber(found[2]) - window.earlier - now, window.length)
end

local function longest_wait(reserved)
  local wait = 0
  for _, window in ipairs(limits) do
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
  for _, window in ipairs(limits) do
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
  local slowest = limits[1]
  for _, window in ipairs(limits) do
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
  return {0, wait, 0}
end

-- Breakers. An endpoint that fails for everybody is asked by one caller at a time, with growing
-- waits; so is the whole key where nothing of it answers. One answer of the other side closes both.

local DEEPEST = 30 -- 2^30 first waits are longer than any longest one

local function wait_at(scope, level)
  local shut = field('shut:' .. scope)
  local first, longest_one = tonumber(ARGV[shut and 6 or 4]), tonumber(ARGV[shut and 7 or 5])
  return math.min(first * 2 ^ math.min(level, DEEPEST), longest_one)
end

-- Of the key's breaker and the endpoint's, those that have such a field.
local function scopes_with(name, endpoint)
  local scopes = {}
  local found = redis.call('HMGET', STATE, name .. ':', name .. ':' .. endpoint)
  if found[1] then scopes[1] = '' end
  if found[2] and endpoint ~= '' then scopes[#scopes + 1] = endpoint end
  return scopes
end

local function open_scopes(endpoint) return scopes_with('held', endpoint) end

-- How long a caller has to wait for these breakers. While another one tries, nobody is told to wait
-- longer than the wait that would follow: it may be back long before that call would be given up.
local function held_for(scopes)
  local wait = 0
  for _, scope in ipairs(scopes) do
    local left = field('held:' .. scope) - now
    wait = math.max(wait, math.min(left, wait_at(scope, field('level:' .. scope) or 0)))
  end
  return wait
end

local function close(scope)
  redis.call('HDEL', STATE, 'failures:' .. scope, 'held:' .. scope, 'level:' .. scope,
    'probe:' .. scope, 'shut:' .. scope)
end

-- Hold callers back for the wait of this level, of which chance decides the upper half.
local function hold_back(scope, level, chance)
  local least = tonumber(ARGV[4])
  local wait = wait_at(scope, level)
  set('level:' .. scope, level)
  set('held:' .. scope, now + least + (wait - least) * (0.5 + chance / 2))
  redis.call('HDEL', STATE, 'probe:' .. scope)
end

-- One call failed. What was under way when the breaker opened says nothing new.
local function fail(scope, token, opens_after, is_shut, chance)
  local failures = redis.call('HINCRBY', STATE, 'failures:' .. scope, 1)
  local held = field('held:' .. scope)
  local was_shut = field('shut:' .. scope)
  local tried = redis.call('HGET', STATE, 'probe:' .. scope) == token
  if (held and not tried) or (not held and failures < opens_after) then return end
  if is_shut then set('shut:' .. scope, 1) else redis.call('HDEL', STATE, 'shut:' .. scope) end
  local same = held and (was_shut ~= nil) == is_shut
  hold_back(scope, same and (field('level:' .. scope) or 0) + 1 or 0, chance)
end

local operations = {}

-- lane ('events', 'person' or another), connection, deadline, how long the reserve is kept for events
-- and for a person, waiting memory, turn, endpoint, '1' to ask whatever its breaker says, tokens...
-- -> {number granted of the tokens, in order; wait; 1 where a breaker is what holds it back}
function operations.take()
  if not is_seeded() then return {-1} end
  local lane, connection, deadline = argument(1), argument(2), tonumber(argument(3))
  local memory, person_memory = tonumber(argument(4)), tonumber(argument(5))
  local waiting_memory = tonumber(argument(6))
  local tokens = tokens_from(10)
  local trying = argument(9) == '1' and {} or open_scopes(argument(8))
  local held = held_for(trying)
  if held > 0 then return {0, held, 1} end
  if #trying > 0 then tokens = {tokens[1]} end
  if lane == 'events' then set('events_at', now) end
  if lane == 'person' then set('person_at', now) end
  local keep = KEEP
  for _, limit in ipairs(limits) do keep = math.max(keep, -limit.earlier) end
  for _, window in ipairs(windows) do
    redis.call('ZREMRANGEBYSCORE', window.key, '-inf', whole(now - keep))
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
  for _, scope in ipairs(trying) do
    -- A caller that dies is not waited for longer than its call may take.
    set('held:' .. scope, now + deadline)
    redis.call('HSET', STATE, 'probe:' .. scope, tokens[1])
  end
  return {granted, 0, 0}
end

-- deadline, tokens... -> {1 if all may be sent, else 0}
-- The deadline counts anew from here, since the call is sent from here. Known tokens need room too:
-- a bucket rebuilt from the ledger holds the askers' own rows beside all that was sent before, which
-- can be more than the limit, and then no more may be sent.
function operations.hold()
  if not is_seeded() then return {-1} end
  local deadline, tokens = tonumber(argument(1)), tokens_from(2)
  if (field('frozen') or 0) > now then return {0} end
  for _, window in ipairs(limits) do
    local unknown = 0
    for _, token in ipairs(tokens) do
      if tonumber(redis.call('ZSCORE', window.key, token) or 0) <= now + window.earlier then
        unknown = unknown + 1
      end
    end
    if unknown > room(window) then return {0} end
  end
  for _, window in ipairs(windows) do add(window, tokens, now + deadline + window.length) end
  return {1}
end

-- What the call's answer says of its endpoint: 'spoke', 'failed', 'shut' or ''.
local function judge(outcome, endpoint, token, opens_after, chance)
  local has_failed = outcome == 'failed' or outcome == 'shut'
  local scopes = has_failed and (endpoint == '' and {''} or {'', endpoint})
    or scopes_with('failures', endpoint)
  if #scopes == 0 then return 0 end
  for _, scope in ipairs(scopes) do
    if outcome == 'spoke' then
      close(scope)
    elseif has_failed then
      local least = (outcome == 'shut' and scope == '') and 1
        or (scope == '' and tonumber(opens_after[1])) or tonumber(opens_after[2])
      fail(scope, token, least, outcome == 'shut', chance)
    elseif redis.call('HGET', STATE, 'probe:' .. scope) == token then
      redis.call('HDEL', STATE, 'probe:' .. scope)
      set('held:' .. scope, now)
    end
  end
  return #open_scopes(endpoint) > 0 and 1 or 0
end

-- '1' if the calls were sent, else '0'; what they say of the endpoint; the endpoint; failures in a
-- row that open the key's breaker, and the endpoint's; a number by chance from 0 to a million;
-- tokens... -> {1 where the endpoint or the key fails for everybody, else 0}
-- LT: a token that is given back twice keeps its first moment.
function operations.give_back()
  local was_sent, tokens = argument(1) == '1', tokens_from(7)
  local failing = 0
  for _, token in ipairs(tokens) do
    failing = judge(argument(2), argument(3), token, {argument(4), argument(5)},
      tonumber(argument(6)) / 1000000)
  end
  local removed = 0
  for _, window in ipairs(windows) do
    if was_sent then
      add(window, tokens, now + window.length, 'LT')
    else
      removed = redis.call('ZREM', window.key, unpack(tokens))
    end
  end
  if removed > 0 and daily_left() then redis.call('HINCRBY', STATE, 'daily_left', removed) end
  return {failing}
end

-- endpoints... -> {how long nobody may ask them}
function operations.held()
  local wait = 0
  for _, endpoint in ipairs(tokens_from(1)) do
    wait = math.max(wait, held_for(open_scopes(endpoint)))
  end
  return {wait}
end

-- For each breaker that was open when Redis was emptied: endpoint, failures, when the first and the
-- last of them came, '1' where the other side is shut; -> {}
-- How often it was tried is told by how long it has been so, since waits double.
function operations.reopen()
  for i = cursor, #ARGV, 5 do
    local scope, failures = ARGV[i], tonumber(ARGV[i + 1])
    if not field('held:' .. scope) then
      redis.call('HSET', STATE, 'failures:' .. scope, whole(failures))
      if ARGV[i + 4] == '1' then set('shut:' .. scope, 1) end
      local since, last = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
      local level = math.floor(math.log((last - since) / wait_at(scope, 0) + 1) / math.log(2))
      set('level:' .. scope, level)
      set('held:' .. scope, last + wait_at(scope, level))
    end
  end
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

-- Whether more calls were answered than such a limit ever lets through. Those under way say nothing:
-- they may all be refused.
local function is_disproved(calls, length)
  for _, window in ipairs(windows) do
    local since = now + math.max(0, window.length - length)
    local answered = redis.call(
      'ZCOUNT', window.key, '(' .. whole(since), whole(now + window.length))
    if answered > DISPROVED * calls then return true end
  end
  return false
end

-- Of each window the limit that was named last is remembered.
local function name(calls, length)
  local all = {{length = length, calls = calls, at = now}}
  for _, named in ipairs(named_limits()) do
    if named.length ~= length then all[#all + 1] = named end
  end
  local text = ''
  for _, named in ipairs(all) do
    text = text .. whole(named.length) .. ' ' .. whole(named.calls) .. ' ' .. whole(named.at) .. ';'
  end
  redis.call('HSET', STATE, 'named', text)
end

-- calls, window, remaining, daily remaining, daily reset, age (each '' where not known) -> {}
-- Somebody else may use the key too: where the server counted more calls than we knew of at that
-- time, the difference is occupied by phantoms for a window.
function operations.learn()
  local calls, length, remaining = tonumber(argument(1)), tonumber(argument(2)), tonumber(argument(3))
  learn_daily(tonumber(argument(4)), tonumber(argument(5)))
  -- A limit without what is left of it was read in a text, which may mean anything.
  if calls and length and (remaining or not is_disproved(calls, length)) then
    name(calls, length)
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

-- -> {frozen until or 0, daily left or -1, then for each window that holds, ours first: its length,
-- calls allowed, calls left, how long until one may be made, and until all of them may}
function operations.left()
  local frozen = field('frozen') or 0
  local answer = {frozen > now and frozen or 0, daily_left() or -1}
  for _, window in ipairs(limits) do
    answer[#answer + 1] = window.length
    answer[#answer + 1] = window.calls
    answer[#answer + 1] = math.max(0, room(window))
    answer[#answer + 1] = wait_for(window, 0)
    answer[#answer + 1] = wait_for(window, window.calls - 1)
  end
  return answer
end

correct()
return operations[ARGV[1]]()

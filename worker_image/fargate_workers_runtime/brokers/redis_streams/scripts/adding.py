"""Adding: an entry is stored, unless the stream is full."""

# KEYS are stream
# ARGV are the most entries (0: no limit), then fields and values
# Returns the entry's id, or the number of entries of a stream that is full.
#
# It does not run when the memory is full: the server refuses it, and the producer hears of it.
ADD = """#!lua
local most, length = tonumber(ARGV[1]), redis.call('XLEN', KEYS[1])
if most > 0 and length >= most then
    return length
end
return redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
"""

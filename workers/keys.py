"""Every key in Redis: what it is, who writes it, who reads it, how long it lives.

| key                     | type   | written by       | read by       | lives                     |
|-------------------------|--------|------------------|---------------|---------------------------|
| lkd:schema              | string | every process's  | the same,     | always; workers/schema.py |
|                         |        | start            | health        |                           |
| lkd:due                 | zset   | accept, claim,   | claim         | a room's entry goes when  |
|                         |        | commit, release  |               | nothing is due for it     |
| lkd:wake                | string | accept, claim    | accept        | until nothing is due, 5 s |
| lkd:wake:ready          | string | wake, accept     | accept        | until it is used, 1 hour  |
| lkd:claim:<claimant>    | hash   | claim            | claim         | until its next claim, 60 s|
| lkd:workers             | zset   | claim (trims)    | presence      | a minute after their last |
| lkd:paused              | set    | pause, resume    | claim, health | until they are resumed    |
| lkd:rules               | string | workers' watch   | a worker's    | until the next rules that |
|                         |        |                  | start         | load                      |
| lkd:rules:<hash>        | string | workers' watch   | a wait's end  | 8 days after it was last  |
|                         |        |                  |               | in force                  |
| lkd:inbox:<room>        | list   | accept, commit   | claim         | entries go when decided   |
| lkd:room:<room>         | hash   | claim, commit,   | accept, claim | 7 days untouched; 1 hour  |
|                         |        | release          |               | once its session is over  |
| lkd:rooms               | zset   | commit,          | reconcile     | a room's entry goes with  |
|                         |        | reconcile        |               | its session               |
| lkd:reconcile           | string | reconcile        | reconcile     | 15 s, a lease             |
| lkd:reconciled:<server> | hash   | reconcile        | reconcile,    | 1 day                     |
|                         |        |                  | health        |                           |
| lkd:seen:<server>:<id>  | string | accept           | accept        | 1 hour                    |
| lkd:limit:<rule>:<per>  | zset   | commit           | commit        | as its members: each 7    |
|                         |        |                  |               | days after its room's     |
|                         |        |                  |               | last commit               |
| lkd:order:<id>          | string | orders, commit   | orders        | 24 hours                  |
| lkd:tokens:<room>       | string | by_token, commit | claim         | 5 minutes longer than the |
|                         |        |                  |               | tokens; 8 days after one  |
|                         |        |                  |               | may have been used        |
| lkd:dispatch:<id>       | string | commit           | ledger, looks | while history keeps it    |
| lkd:dispatches:<state>: | zset   | commit, forget   | ledger        | entries as their dispatch |
|   <route>               |        |                  |               |                           |
| lkd:dispatches-of:<d>   | list   | commit, forget   | ledger        | entries as their dispatch |
| lkd:routes              | zset   | commit,          | ledger,       | while history keeps a     |
|                         |        | retention        | retention     | dispatch of theirs        |
| lkd:event:<server>:<id> | string | commit           | ledger        | while history keeps it    |
| lkd:events              | zset   | commit, forget   | ledger        | entries as their event    |
| lkd:events-of:<d>       | list   | commit, forget   | ledger        | entries as their event    |
| lkd:dead:<server>:<id>  | string | commit           | dead letters  | while history keeps it    |
| lkd:dead-letters        | zset   | commit, forget,  | dead letters  | entries as their letter   |
|                         |        | dead letters     |               |                           |
| lkd:history             | hash   | commit, forget   | retention     | always, one counter       |
| lkd:retention           | string | retention        | retention     | 15 s, a lease             |
| lkd:minute:<n>          | hash   | commit           | ledger        | 2 hours                   |
| lkd:hits, lkd:hits:last | hash   | commit           | ledger        | a field for each rule     |
| lkd:day:<date>          | hash   | commit           | registry      | 8 days                    |
| lkd:peak:<date>         | hash   | agent workers    | registry      | 8 days                    |
| lkd:notice:<id>         | hash   | commit, notifier | notifier      | until all are told, 2 days|
| lkd:notices             | zset   | commit, notifier | notifier,     | as its notices; the       |
|                         |        |                  | health        | oldest of over 10,000 go  |
| lkd:notices:new         | zset   | commit, notifier | notifier      | until the notifier looks  |
| lkd:notices:of:<to>     | zset   | notifier         | notifier      | as its notices            |
| lkd:notices:to          | set    | notifier         | notifier      | as its notices            |
| lkd:notices:rest:<to>   | string | notifier         | notifier      | as a receiver asked,      |
|                         |        |                  |               | at most 1 hour            |
| lkd:notifier            | string | notifier         | notifier      | 10 s, a lease             |
| lkd:outcomes:<agent>    | list   | commit (trims)   | registry      | 8 days after the last     |
| lkd:agent-workers       | hash   | agent workers    | registry      | 1 day after the last      |
| lkd:agents              | string | agent workers    | agent workers | 10 s, a lease             |
| lkd:strangers:<server>  | hash   | reconcile        | registry      | until the next pass, or   |
|                         |        |                  |               | 5 intervals               |
| lkd:webhooks            | hash   | web              | doctor        | 8 days after the last     |
| lkd:signed-out:<id>     | string | sign-out         | access        | as long as the session    |
|                         |        |                  |               | would have, 7 days        |
| lkd:sign-in:<sender>    | string | sign-in          | sign-in       | a minute                  |
| lkd:guesses:<sender>    | string | access           | access        | a minute                  |
| lkd:metrics             | hash   | count (trims)    | metrics       | 8 days after the last     |
| lkd:metrics:<kind>      | zset   | count (trims)    | count         | as that, 200 of a kind    |
| lkd:flushed:<claimant>  | string | count            | count         | 1 day after the last      |
| lkd:rule-errors         | zset   | count (trims)    | metrics       | a minute after the last   |
| lkd:audit               | stream | audit (trims)    | audit         | the last 1,000, and 90    |
|                         |        |                  |               | days after the last       |
| lkd:audit:told          | string | retention        | retention     | 90 days                   |
| rq:*                    |        | RQ, wake, accept | RQ            | RQ's own                  |

`<room>` is a room key: the server's id, a colon, the room's name. A room's hash holds `fence`
(grows by one with every lease), `holder` (the lease's token: fence and claimant), `until` (its
end, Unix ms; absent when nobody holds the room),
`trying` and `tries` (the event at the inbox's head and how often a lease has begun on it) and
`record` (workers/record.py, as JSON). Scores are Unix milliseconds.

What history keeps it keeps for `DISPATCHER_RETENTION`, or less where there is more of it than
`DISPATCHER_HISTORY_BYTES`: workers/retention.py takes away the oldest. `<route>` is a rule, an
agent and a deployment, `<d>` three digits of a room's name's digest: see workers/places.py.

Scripts build the keys of a claimed room from the prefixes here, so all of it must live on one
Redis; Redis Cluster is not supported (nor by RQ).
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "lkd:schema"
"""The version of all that is kept here, a whole number."""
DUE: Final = "lkd:due"
WAKE: Final = "lkd:wake"
READY: Final = "lkd:wake:ready"
"""Id of an RQ job that is saved, not queued: the next wake-up."""
WORKERS: Final = "lkd:workers"
"""Members are a claimant, a colon, and what workers/presence.py has it tell of itself."""
PAUSED: Final = "lkd:paused"
"""Members are ids of rules; `*` stands for all of them."""
RULES: Final = "lkd:rules"
RULES_OF: Final = "lkd:rules:"
"""Dispatches wait for at most as long as a room is remembered, and are judged by these."""
CLAIM: Final = "lkd:claim:"
INBOX: Final = "lkd:inbox:"
ROOM: Final = "lkd:room:"
LIMIT: Final = "lkd:limit:"
"""Members are the ids of a rule's live dispatches, in all rooms. Scores are when a room that is not
heard of again is forgotten, and its dispatches with it."""
ROOMS: Final = "lkd:rooms"
"""Members are the keys of rooms whose session is live, scores when a record was last written."""
RECONCILE: Final = "lkd:reconcile"
RECONCILED: Final = "lkd:reconciled:"
ORDER: Final = "lkd:order:"
"""Prefix of what is known of a dispatch that was ordered by hand, by our id of it: what was asked
for, as a digest, and until a worker has taken it, as a dispatch."""
TOKENS: Final = "lkd:tokens:"
"""Prefix of the notes that join tokens with agents may be in use in a room."""
WAITING: Final = "lkd:waiting:"
"""Prefix of the hashes of dispatches that wait for their agent in a meeting."""
TAKEN: Final = "lkd:taken:"
"""Prefix of what says whose an agent in a meeting is: the id of its dispatch."""
DISPATCHES: Final = "lkd:dispatches:"
"""Prefix of the sorted sets that list dispatches, by when they were created: one for each state and
route. Members are places."""
DISPATCHES_OF: Final = "lkd:dispatches-of:"
"""Prefix of the lists of the places of dispatches in rooms whose digest begins so, oldest first."""
ROUTES: Final = "lkd:routes"
"""Members are the routes that history holds dispatches of, scores when one was last written."""
DISPATCH: Final = "lkd:dispatch:"
EVENTS: Final = "lkd:events"
EVENTS_OF: Final = "lkd:events-of:"
EVENT: Final = "lkd:event:"
DEAD_LETTERS: Final = "lkd:dead-letters"
DEAD: Final = "lkd:dead:"
HISTORY: Final = "lkd:history"
"""Field `bytes`: about how much of Redis's memory history takes."""
RETENTION: Final = "lkd:retention"
MINUTE: Final = "lkd:minute:"
"""Fields are what came in that minute: `events` decided, `dispatches` begun, `failed`."""
HITS: Final = "lkd:hits"
"""Fields are ids of rules, values how often each has matched."""
LAST_HITS: Final = "lkd:hits:last"
"""The same, and when each last did, Unix ms."""
DAY: Final = "lkd:day:"
"""Fields are an agent, `\x1f`, a deployment; values how many sessions began on that day, UTC."""
PEAK: Final = "lkd:peak:"
"""The same; values are the most sessions there were at a time on that day."""
OUTCOMES: Final = "lkd:outcomes:"
"""Of an agent, `\x1f`, a deployment: see workers/outcomes.py."""
AGENT_WORKERS: Final = "lkd:agent-workers"
"""Fields are URLs, values what was told there: see workers/agent_workers.py."""
AGENTS_LEASE: Final = "lkd:agents"
STRANGERS: Final = "lkd:strangers:"
"""Fields are names of agents that nobody here has sent, values how many are in rooms, and in how
many of those one of ours is too."""
NOTICE: Final = "lkd:notice:"
"""Prefix of what is to be told: `body`, and for each receiver that was not told yet, by its id, how
often that was tried."""
NOTICES: Final = "lkd:notices"
"""Members are ids of what some receiver was not told yet, scores when it was put down."""
NEW_NOTICES: Final = "lkd:notices:new"
"""Those of them that no receiver has among its own yet."""
NOTICES_OF: Final = "lkd:notices:of:"
"""Prefix of what one receiver is to be told: scores are when that is due."""
NOTIFIED: Final = "lkd:notices:to"
"""Members are ids of receivers that have notices, or had."""
RESTS: Final = "lkd:notices:rest:"
"""Prefix of what says that a receiver has asked to be left alone."""
NOTIFIER: Final = "lkd:notifier"
METRICS: Final = "lkd:metrics"
"""Fields are those of workers/metrics.py, values what the fleet has counted."""
SUBJECTS: Final = "lkd:metrics:"
"""Prefix of the rules and the agents that metrics tell apart; scores are when each was last heard
of."""
FLUSHED: Final = "lkd:flushed:"
"""Prefix of the number of a worker's last batch of counts."""
RULE_ERRORS: Final = "lkd:rule-errors"
"""Members are workers of whose rule files some do not load."""
SEEN: Final = "lkd:seen:"
HEARD: Final = "lkd:webhooks"
"""Fields are a server's id, a colon, an API key; values when a webhook of it has last come,
Unix ms."""
SIGNED_OUT: Final = "lkd:signed-out:"
AUDIT: Final = "lkd:audit"
"""Entries are manual acts: see workers/audit.py."""
AUDIT_TOLD: Final = "lkd:audit:told"
"""Id of the last of them that was looked at for commands' acts."""
SIGN_IN: Final = "lkd:sign-in:"
"""Prefix of counters of the attempts of a minute; what follows is a digest of who made them."""

GUESSES: Final = "lkd:guesses:"
"""The same, of wrong admin tokens at the API."""

QUEUE: Final = "dispatcher"
"""Name of the RQ queue that carries wake-ups."""
RQ_QUEUE: Final = f"rq:queue:{QUEUE}"
"""The list in which RQ has that queue's job ids."""
RQ_JOB: Final = "rq:job:"

SEEN_SECONDS: Final = 3600
"""Longer than LiveKit retries a webhook (26 s) and than its token is good for (5 minutes)."""
FLUSHED_SECONDS: Final = 86400
"""A worker that cannot reach Redis for longer than this may count its last second twice."""
ORDER_SECONDS: Final = 86400
"""How long the same order, given again, is the same."""
ROOM_SECONDS: Final = 7 * 86400
DAY_SECONDS: Final = 8 * 86400
TOKENS_SECONDS: Final = 8 * 86400
"""Longer than any token is good for, and than a room is remembered."""
ENDED_ROOM_SECONDS: Final = 3600
NOTICE_SECONDS: Final = 2 * 86400
"""Longer than a notice is tried for."""
MOST_NOTICES: Final = 10_000


def room_key(server_id: str, room: str) -> str:
    """The room's key: one room name of one server, whatever the session."""
    return f"{server_id}:{room}"


def split_room_key(key: str) -> tuple[str, str]:
    """`(server id, room name)` of a room key."""
    server_id, _, room = key.partition(":")
    return server_id, room

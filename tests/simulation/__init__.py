"""The service in a simulated world: its real code and scripts, with time, network, crashes and the
order of things drawn from one integer.

The due-queue, the drain, the pipeline and all that they call are those of `workers/`; the scripts
run on a real Valkey. Simulated are the clock and the event loop (`loop`), the way to Redis and the
workers that die or stand still (`claimant`), the way to LiveKit (`line`), LiveKit itself
(`livekit`, `agents`), webhooks that are late, repeated, overtaken or lost (`webhooks`), those who
call (`traffic`), and those who interfere by hand (`hands`). `weather` draws how bad it is, `play`
brings all together, and when everything has come to rest `invariants` says what must hold. What can
be seen to be wrong at once is told by the part that sees it.

    python -m tests.simulation 4711            what happens in a seed, line by line
    python -m tests.simulation 0 100000        that many seeds from the first; --cores: on all cores
    python -m tests.simulation 0 100000 --without "the fence"

A seed that fails here fails everywhere, until the simulation itself is changed.
"""

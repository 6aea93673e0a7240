"""Uploads over a thin link: a thumbnail first, the whole photograph on request, within a budget of bytes per day.

Invariants (tests in `tests/unit/producers/gateway/thin`, with crashes between any two steps and a link that breaks):

1. Every photograph is stored as a thumbnail, or whole, or waits for one of the two; none is dropped. One of which no
   thumbnail can be linked to it (`thumbnail.NoThumbnail`) is sent whole.
2. The whole file of a photograph that is `held` stays: its copy in the spool, until it was requested and the store has
   confirmed it, or until it was held for `UNCIA_THIN_KEEP_DAYS` and the list of requests that was read after that did
   not name it; then it becomes `expired`, and an event names it.
3. The bytes of a UTC day, in both directions, with TLS, headers of packets, failed attempts and polls, never exceed the
   budget: a byte moves only under a lease, and a lease is on disk as spent before it is used (`ledger`).
4. All state is in the spool's file. After `kill -9` a lease that was not used up counts as spent, an interrupted
   transfer is repeated, and a request that was not answered is still there.
5. Every request is answered once, in a sentence: the photograph will be sent, was sent, is not kept any more, or is
   unknown here. None of the answers changes what is stored.
"""

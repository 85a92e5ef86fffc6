"""The event store's home past one machine: a ClickHouse server, or a cluster of them.

ClickHouse has no transactions and no compare-and-set. What holds all the same, and why:

**Stored once, all of it or nothing.** Whoever stores a block writes into `begun` first: an attempt,
unique and ascending with time. All rows of the block carry it, whichever tables, partitions and
shards they go to. One row in `commit`, written last and whole by its nature, makes them count. An
attempt that never got there (a worker was killed, a server went away) is garbage: readers leave it
out, and timed work deletes it. A queue that hands a block out again, hands out the same `Block.id`:
is an attempt at it committed, there is nothing to do; else the earlier ones are written down as
left, and the block is stored anew as a whole. No block waits for a deletion, which a cluster only
finishes when all of it is well. So neither a block's rows nor the ways in which an insert is atomic
need to be the same ever again. Two workers must not store the same block at the same time; the
queue's lock sees to that, and that one batch is only ever part of one block. Different blocks are
stored by any number at once.

**Rollups that never count twice.** `roll` is an attempt as well: it merges the requests of all
blocks that are stored and in no rollup, by minute, into new rows that carry the attempt, and its
one row of `commit` says which blocks that were. Readers add up the rows of committed attempts and
the requests of the blocks that are in none; both are read from `commit` at once, so a roll
in between changes nothing. Hours and days are made of the minutes in the same way, more rarely. An
attempt at it that died is deleted before the next one. One process rolls, others see that it does.
(A materialized view would count a retried insert twice, and could not tell.)

**What several workers know.** Ids of operations and instances are hashes, so nobody has to ask for
one. Clients' totals are stored as they are, and turned into differences when asked: whatever order
the batches arrived in, at whichever worker. A worker's memory saves writing, and never decides.

**A cluster.** With `?cluster=name` in the URL, tables are replicated and requests sharded by
project and instance; see `schema.py`. Without, all is on one server, which survives being killed,
and a power cut only as far as its disk was told in time (ClickHouse does not fsync by itself).
"""

from .store import ClickHouseStore

__all__ = ["ClickHouseStore"]

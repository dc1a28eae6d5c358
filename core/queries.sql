-- name: generation_get
-- The generation that Redis should carry. $1 event_id, $2 part.
select epoch, run_id, repl_id from generation where event_id = $1 and part = $2;

-- name: generation_raise
-- Compare and set. $1 event_id, $2 part, $3 the old epoch ('' for none), $4 the new number, $5 epoch.
-- Returns the new number, or nothing when somebody else was first.
insert into generation as g (event_id, part, generation, epoch)
values ($1, $2, $4, $5)
on conflict (event_id, part) do update
    set generation = excluded.generation, epoch = excluded.epoch, run_id = '', repl_id = ''
    where g.epoch = $3
returning generation;

-- name: generation_repaired
-- $1 event_id, $2 part, $3 epoch, $4 run_id, $5 repl_id. Returns nothing when it was overtaken.
update generation set run_id = $4, repl_id = $5
where event_id = $1 and part = $2 and epoch = $3
returning generation;

-- name: repair_lock
-- One node repairs. $1 a name. Held by the connection, so it ends with a node that dies.
select pg_try_advisory_lock(hashtextextended($1, 0));

-- name: repair_unlock
select pg_advisory_unlock(hashtextextended($1, 0));

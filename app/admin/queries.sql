-- name: console_link_add
-- A one-time link, known by its hash only. $1 token hash, $2 life in seconds
insert into console_link (token_hash, expires_at)
values ($1, now() + make_interval(secs => $2));

-- name: console_link_use
-- Returns a row once, while the link lives. $1 token hash
update console_link set used_at = now()
where token_hash = $1 and used_at is null and expires_at > now()
returning token_hash;

-- name: console_link_forget
-- Links that can't be used any more, kept a day for whoever asks what happened.
delete from console_link where expires_at < now() - interval '1 day';

-- name: console_logout_add
-- $1 session, $2 its end in Unix s
insert into console_logout (session, ends_at) values ($1, to_timestamp($2::bigint))
on conflict do nothing;

-- name: console_logout_forget
-- Sessions whose cookie has ended anyway.
delete from console_logout where ends_at < now();

-- name: console_logouts
-- Sessions that must not be let in, though their cookie has not ended.
select session from console_logout where ends_at > now();

-- name: audit_add
-- $1 who, $2 action, $3 event_id, $4 before jsonb, $5 after jsonb
insert into audit (who, action, event_id, before, after)
values ($1, $2, $3, $4::text::jsonb, $5::text::jsonb);

-- name: audit_of_event
-- The newest first. $1 event_id, $2 limit
select audit_id, (extract(epoch from at) * 1000)::bigint as at_ms, who, action,
       before::text as before, after::text as after
from audit where event_id = $1
order by audit_id desc limit $2;

-- name: audit_last_change
-- What an undo takes back: the last change by an operator. $1 event_id, $2 what changes and undoes
select before::text as before from audit
where event_id = $1 and action = any($2::text[])
order by audit_id desc limit 1;

-- name: recent_numbers_note
-- The numbers of now, of several events; another node may have been first. $1 seconds a slot, then
-- a list for each column.
insert into recent_numbers (event_id, slot, waiting, active, called_last_minute, per_minute, sold,
                            held, refused)
select n.event_id, floor(extract(epoch from now()) / $1::integer)::bigint, waiting, active, called,
       pace, sold, held, refused
from unnest($2::text[], $3::integer[], $4::integer[], $5::integer[], $6::integer[],
            $7::integer[], $8::integer[], $9::bigint[])
     as n (event_id, waiting, active, called, pace, sold, held, refused)
join room using (event_id)
on conflict (event_id, slot) do update
    set called_last_minute = greatest(recent_numbers.called_last_minute,
                                      excluded.called_last_minute);

-- name: recent_numbers
-- The oldest first, as the columns stand. $1 event_id, $2 seconds a slot, $3 how far back, in seconds
select slot, array[waiting, active, called_last_minute, per_minute, sold, held, refused] as shown
from recent_numbers
where event_id = $1 and slot > (extract(epoch from now()) - $3::integer) / $2::integer
order by slot;

-- name: recent_numbers_forget
-- $1 seconds a slot, $2 how far back, in seconds
delete from recent_numbers where slot < (extract(epoch from now()) - $2::integer) / $1::integer;

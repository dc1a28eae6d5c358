-- name: shop_get
-- No row: the room has no shop elsewhere. $1 event_id.
select return_urls, version from shop where event_id = $1;

-- name: shop_change
-- Compare and set; 0 is the version of a shop that is not there yet. No row: it was changed.
-- $1 event_id, $2 expected version, $3 return_urls.
insert into shop (event_id, return_urls)
select $1, $3::text[] where $2::integer = 0 or exists (select from shop where event_id = $1)
on conflict (event_id) do update
set return_urls = excluded.return_urls, version = shop.version + 1
where shop.version = $2
returning version;

-- name: exchange_make
-- A new code takes the place of one that was not used. No row: the pass was exchanged.
-- $1 event_id, $2 call_id, $3 subject, $4 code_hash, $5 life, ms.
insert into exchange (event_id, call_id, subject, code_hash, expires_at)
values ($1, $2, $3, $4, now() + $5::bigint * interval '1 ms')
on conflict (event_id, call_id) do update
set code_hash = excluded.code_hash, expires_at = excluded.expires_at
where exchange.used_at is null
returning call_id;

-- name: exchange_sweep
-- Codes of admissions that are over. Until then the row keeps the pass from being given out twice.
-- $1 for how long an expired code is told from one that never was, s; $2 limit.
delete from exchange where (event_id, call_id) in (
    select event_id, call_id from exchange as old
    where expires_at < now() - make_interval(secs => $1) and not exists (
        select from call
        where event_id = old.event_id and call_id = old.call_id and end_reason is null
          and ends_at > now()
    )
    order by expires_at limit $2 for update skip locked
);

-- name: exchange_get
-- $1 code_hash, $2 for how long a repeat with the same binding is answered again, ms.
select event_id, call_id, subject, binding, used_at is not null as used,
       used_at is null and expires_at <= now() as expired,
       coalesce(used_at + $2::bigint * interval '1 ms' > now(), false) as repeatable
from exchange where code_hash = $1;

-- name: exchange_use
-- The first wins. $1 code_hash, $2 binding.
update exchange set used_at = now(), binding = $2
where code_hash = $1 and used_at is null and expires_at > now()
returning call_id;

-- name: pass_keys
select number, (extract(epoch from signs_from) * 1000)::bigint as signs_from_ms
from pass_key order by number;

-- name: pass_key_add
-- Compare and set. $1 the newest number, which must sign already, $2 ms until the next one signs.
-- No row: another node rotated, or the newest is only published yet.
insert into pass_key (number, signs_from)
select number + 1, now() + $2::bigint * interval '1 ms'
from pass_key
where number = $1 and signs_from <= now() and number = (select max(number) from pass_key)
on conflict do nothing
returning number;

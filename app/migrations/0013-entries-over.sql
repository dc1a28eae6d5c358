-- 0013 entries over: which entry of a lobby a fan gave up, or lost to an operator, not only who did.
--
-- A fan may gather once more after that, with a new entry, and is drawn by it. A repair that counted
-- fans left them out then, and a receipt of the old entry brought it back.
--
-- Online: yes. The key is built anew under a lock on a table of those who left a draw.
-- Undo: delete rows with an entry that repeat a fan; the key without the column; drop the column.
-- depends: 0004-draw 0005-room-controls

alter table draw_left
    add column entry_id text not null default '', -- '': from before, whichever the fan had
    drop constraint draw_left_pkey,
    add primary key (event_id, subject, entry_id);

-- Until now a repair asked for all revocations. Where the list is fixed it had done so rightly.
insert into draw_left (event_id, subject)
select event_id, subject from revocation join draw using (event_id) where entries > 0
on conflict do nothing;

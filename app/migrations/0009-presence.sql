-- 0009 presence: who was there at each tick that the log of a sale has.
--
-- With it the replay of a log shows whom the policy calls, not only how many (decision 0015).
-- What changed since the tick noted before, or all who were there, compressed: some bytes a tick;
-- an eighth of a byte a place where a node that began to follow the log has to say it whole.
--
-- Online: yes. A column without a default is added without a rewrite.    Undo: drop the column.
-- depends: 0008-sale-log

alter table room_tick
    add column presence bytea; -- waiting_room/history/presence.py reads it; null: no node knew

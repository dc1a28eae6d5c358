-- 0014 no refused turns: a turn out of line has a row once Redis has given it, as all others have.
--
-- Until now the row came first, and one that was refused was marked. If its node died in between it
-- stayed open, and each repair gave the turn anew.
--
-- Online: yes; a node of before may still mark a row, which then counts as a turn at its place.
-- Undo: none is needed.
-- depends: 0003-room

delete from call where end_reason = 'refused';

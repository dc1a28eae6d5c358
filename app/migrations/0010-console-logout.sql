-- 0010 console logout: sessions of the console that were ended before the end their cookie names.
--
-- A session is known by its cookie alone, so that no node needs a store to let an operator in. What
-- can't be known so is that somebody logged out: each node reads these few rows once a second.
--
-- Online: yes, a new table only.    Undo: drop it; cookies of ended sessions would work again.
-- depends: 0005-room-controls

create table console_logout (
    session text        primary key, -- the name in the cookie, no secret
    ends_at timestamptz not null     -- of the cookie: the row is of no use after it
);

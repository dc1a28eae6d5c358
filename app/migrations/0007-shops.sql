-- 0007 shops: what the waiting room keeps for shops elsewhere: numbers of the keys that sign
-- passes, the addresses fans may be sent back to, and the codes that are exchanged for a pass.
--
-- No key is stored: `pass_key` has numbers, and every node derives the key from the secret.
--
-- Online: yes, new tables only.    Undo: drop table exchange, shop, pass_key.
-- depends: 0003-room

create table pass_key (
    number     integer     primary key check (number > 0),
    signs_from timestamptz not null, -- published before that, so that every verifier knows it
    made_at    timestamptz not null default now()
);
insert into pass_key (number, signs_from) values (1, now());

create table shop (
    event_id    text    primary key references room on delete cascade,
    return_urls text[]  not null, -- origin and path prefix; nobody is sent anywhere else
    version     integer not null default 1 -- raised by each change: the ETag
);

-- One row an admission: whoever exchanges first has the pass.
create table exchange (
    event_id   text        not null references room on delete cascade,
    call_id    text        not null,
    subject    text        not null,
    code_hash  text        not null unique, -- SHA-256: who reads the table can't use the code
    expires_at timestamptz not null,
    used_at    timestamptz,
    binding    text        not null default '', -- what the shop bound the pass to, '' for nothing
    primary key (event_id, call_id),
    foreign key (event_id, call_id) references call on delete cascade
);

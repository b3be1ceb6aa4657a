-- Moments are milliseconds since 1970. What is still open ends at the largest integer.

CREATE TABLE life (
    id INTEGER PRIMARY KEY,
    room_sid TEXT NOT NULL UNIQUE,
    app INTEGER NOT NULL,
    room TEXT NOT NULL,
    -- The room without what tells integers from texts: as the vendor writes it.
    text TEXT NOT NULL,
    comm_second INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    creator TEXT NOT NULL,
    UNIQUE (app, text, comm_second)
) STRICT;
CREATE INDEX life_by_app ON life (app, ended);
CREATE INDEX life_by_end ON life (ended);

CREATE TABLE stay (
    id INTEGER PRIMARY KEY,
    stay TEXT NOT NULL UNIQUE,
    room_sid TEXT NOT NULL,
    app INTEGER NOT NULL,
    identity TEXT NOT NULL,
    device TEXT NOT NULL,
    os TEXT NOT NULL,
    sdk TEXT NOT NULL,
    version TEXT NOT NULL,
    address TEXT NOT NULL,
    entered INTEGER NOT NULL,
    connected INTEGER,
    ended INTEGER NOT NULL,
    end TEXT
) STRICT;
CREATE INDEX stay_by_room ON stay (room_sid, identity);
CREATE INDEX stay_by_app ON stay (app, ended);
CREATE INDEX stay_by_end ON stay (ended);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    room_sid TEXT NOT NULL,
    stay TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    param TEXT
) STRICT;
CREATE INDEX event_by_stay ON event (stay, at);
CREATE INDEX event_by_app ON event (app);

CREATE TABLE unusual (
    id INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    room_sid TEXT NOT NULL,
    stay TEXT NOT NULL,
    at INTEGER NOT NULL,
    experience INTEGER NOT NULL,
    -- A list of pairs: event id, stay.
    causes TEXT NOT NULL
) STRICT;
CREATE INDEX unusual_by_app ON unusual (app, at);

CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    app INTEGER NOT NULL,
    stay TEXT NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    samples BLOB NOT NULL,
    UNIQUE (stay, began)
) STRICT;
CREATE INDEX block_by_app ON block (app);

-- `period` is its length in milliseconds. `room_sid` is empty for a whole application; rooms have minutes only.
CREATE TABLE total (
    app INTEGER NOT NULL,
    period INTEGER NOT NULL,
    room_sid TEXT NOT NULL,
    began INTEGER NOT NULL,
    joins INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    joined_soon INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL,
    audio_freeze_ms INTEGER NOT NULL,
    video_ms INTEGER NOT NULL,
    video_freeze_ms INTEGER NOT NULL,
    delay_ms INTEGER NOT NULL,
    delays INTEGER NOT NULL,
    peak_users INTEGER NOT NULL,
    peak_rooms INTEGER NOT NULL,
    -- The figures below are there: it was over when they were counted.
    counted INTEGER NOT NULL DEFAULT 0,
    users INTEGER NOT NULL DEFAULT 0,
    room_users INTEGER NOT NULL DEFAULT 0,
    entries INTEGER NOT NULL DEFAULT 0,
    rooms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app, period, room_sid, began)
) STRICT, WITHOUT ROWID;
CREATE INDEX total_by_age ON total (period, began);
CREATE INDEX total_uncounted ON total (period, began) WHERE counted = 0 AND period > 60000;

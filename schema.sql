-- claude-proxy: the database that claude-proxy.fcgi and claude-proxy-admin share.  Compiled into both.
-- PRAGMA user_version tells which version of it a file has (fcgi/store/migrate.c).

CREATE TABLE upstreams (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- their order; the index is the position in it
    name         TEXT NOT NULL UNIQUE,
    base_url     TEXT NOT NULL,
    service_type TEXT NOT NULL
) STRICT;

CREATE TABLE upstream_options (
    upstream_id INTEGER NOT NULL REFERENCES upstreams (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (upstream_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- their order
    upstream_id INTEGER NOT NULL REFERENCES upstreams (id) ON DELETE CASCADE,
    secret      TEXT NOT NULL,
    enabled     INTEGER NOT NULL DEFAULT 1,
    rests_until INTEGER NOT NULL DEFAULT 0,          -- ms since 1970; 0: ready
    last_error  TEXT,
    UNIQUE (upstream_id, secret)
) STRICT;

CREATE TABLE routes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- their precedence
    pattern     TEXT NOT NULL,                       -- glob of model names
    model       TEXT NOT NULL,
    upstream_id INTEGER REFERENCES upstreams (id) ON DELETE CASCADE  -- NULL: the current one
) STRICT;

-- 'strategy', 'current_upstream' (an id), 'reloads' (how often all processes were told to read their settings again),
-- 'token:<key id>' (what a key's command printed: '<ms since 1970 when it expires> <token>'),
-- 'search.provider', 'search.url', 'search.key' (the proxy's own web search)
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The counter of round-robin.  A table of its own: it changes with every request, the configuration seldom.
CREATE TABLE rotations (
    upstream_id INTEGER PRIMARY KEY REFERENCES upstreams (id) ON DELETE CASCADE,
    count       INTEGER NOT NULL
) STRICT;

CREATE TABLE rate_windows (
    client  TEXT NOT NULL,
    started INTEGER NOT NULL,                        -- ms since 1970
    count   INTEGER NOT NULL,
    PRIMARY KEY (client, started)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
    id                          INTEGER PRIMARY KEY,
    finished                    INTEGER NOT NULL,    -- ms since 1970
    upstream                    TEXT NOT NULL,       -- its name: it may be removed meanwhile
    key_id                      INTEGER NOT NULL,
    model                       TEXT NOT NULL,
    status                      INTEGER NOT NULL,
    input_tokens                INTEGER NOT NULL,
    output_tokens               INTEGER NOT NULL,
    cache_read_input_tokens     INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL,
    first_byte                  INTEGER NOT NULL,    -- ms
    duration                    INTEGER NOT NULL     -- ms
) STRICT;
CREATE INDEX usage_by_time ON usage (finished);

-- Counts the changes of the configuration, whoever makes them, so that a process knows when to read it anew.
CREATE TABLE revision (
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1);

CREATE TRIGGER upstreams_inserted AFTER INSERT ON upstreams BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER upstreams_updated  AFTER UPDATE ON upstreams BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER upstreams_deleted  AFTER DELETE ON upstreams BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER options_inserted   AFTER INSERT ON upstream_options BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER options_updated    AFTER UPDATE ON upstream_options BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER options_deleted    AFTER DELETE ON upstream_options BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER keys_inserted      AFTER INSERT ON api_keys BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER keys_updated       AFTER UPDATE ON api_keys BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER keys_deleted       AFTER DELETE ON api_keys BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER routes_inserted    AFTER INSERT ON routes BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER routes_updated     AFTER UPDATE ON routes BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER routes_deleted     AFTER DELETE ON routes BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER settings_inserted  AFTER INSERT ON settings BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER settings_updated   AFTER UPDATE ON settings BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER settings_deleted   AFTER DELETE ON settings BEGIN UPDATE revision SET number = number + 1; END;

-- Version 2.  An older file is brought up to date by what stands below its version: nothing above is ever changed.

-- When the service began: a CGI program's process lives for one request only.
CREATE TABLE service (
    began INTEGER NOT NULL                           -- ms since 1970
) STRICT;
INSERT INTO service VALUES (1000 * CAST(strftime('%s', 'now') AS INTEGER));

-- All requests since then, for /metrics.  Apart from usage, whose rows are forgotten in time.
CREATE TABLE request_totals (
    upstream                    TEXT NOT NULL,       -- its name; '': none was asked
    kind                        TEXT NOT NULL,       -- fcgi/store/totals.h
    status                      INTEGER NOT NULL,
    requests                    INTEGER NOT NULL,
    input_tokens                INTEGER NOT NULL,
    output_tokens               INTEGER NOT NULL,
    cache_read_input_tokens     INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL,
    PRIMARY KEY (upstream, kind, status)
) STRICT, WITHOUT ROWID;

CREATE TABLE latency_totals (
    upstream TEXT NOT NULL,
    kind     TEXT NOT NULL,
    status   INTEGER NOT NULL,
    measure  TEXT NOT NULL,                          -- 'first_byte', 'duration'
    bucket   INTEGER NOT NULL,                       -- fcgi/store/totals.h
    requests INTEGER NOT NULL,
    duration INTEGER NOT NULL,                       -- ms, of all of them
    PRIMARY KEY (upstream, kind, status, measure, bucket)
) STRICT, WITHOUT ROWID;

-- What each process has in flight, while it has anything.
CREATE TABLE processes (
    id        INTEGER PRIMARY KEY,                   -- random
    in_flight INTEGER NOT NULL,
    seen      INTEGER NOT NULL                       -- ms since 1970
) STRICT;

-- Version 3.

-- What refusals of an upstream have taught of the requests that it takes (fcgi/translate/lesson.h).
CREATE TABLE lessons (
    upstream_id INTEGER NOT NULL REFERENCES upstreams (id) ON DELETE CASCADE,
    model       TEXT NOT NULL,                       -- as the upstream calls it
    lesson      TEXT NOT NULL,
    learned     INTEGER NOT NULL,                    -- ms since 1970, the last time
    times       INTEGER NOT NULL,
    PRIMARY KEY (upstream_id, model, lesson)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER lessons_inserted AFTER INSERT ON lessons BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER lessons_updated  AFTER UPDATE ON lessons BEGIN UPDATE revision SET number = number + 1; END;
CREATE TRIGGER lessons_deleted  AFTER DELETE ON lessons BEGIN UPDATE revision SET number = number + 1; END;

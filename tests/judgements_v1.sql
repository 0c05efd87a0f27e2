-- A judgement file as mdr 0.1.0 made it, with what that version could say. Never changes.
CREATE TABLE migrations (name VARCHAR PRIMARY KEY, applied TIMESTAMPTZ);
CREATE TABLE events (
    event        VARCHAR PRIMARY KEY,
    sequence     BIGINT NOT NULL,
    happened     TIMESTAMPTZ NOT NULL,
    action       VARCHAR NOT NULL CHECK (action IN ('grade', 'withdraw')),
    annotator    VARCHAR NOT NULL,
    collection   VARCHAR NOT NULL,
    query        VARCHAR NOT NULL,
    query_lang   VARCHAR NOT NULL,
    query_text   VARCHAR NOT NULL,
    passage      VARCHAR NOT NULL,
    passage_lang VARCHAR NOT NULL,
    grade        INTEGER CHECK (grade BETWEEN 0 AND 3),
    rank         INTEGER,
    engine       VARCHAR,
    CHECK ((action = 'grade') = (grade IS NOT NULL))
);
CREATE VIEW judgements AS
SELECT * FROM (
    SELECT * FROM events
    QUALIFY row_number() OVER (PARTITION BY annotator, collection, query, passage ORDER BY sequence DESC) = 1
) WHERE action = 'grade';
INSERT INTO migrations VALUES ('m001_events', '2026-01-01 00:00:00+00');
INSERT INTO events VALUES
    ('e1', 1, '2026-01-02 03:04:05+00', 'grade', 'ann', 'c', 'q1', 'th', 'แม่น้ำ', 'p1', 'fi', 2, 1, 'hybrid'),
    ('e2', 2, '2026-01-02 03:04:06+00', 'grade', 'ann', 'c', 'q1', 'th', 'แม่น้ำ', 'p2', 'fi', 0, 0, NULL),
    ('e3', 3, '2026-01-02 03:04:04+00', 'withdraw', 'ann', 'c', 'q1', 'th', 'แม่น้ำ', 'p2', 'fi', NULL, NULL, NULL),
    ('e4', 4, '2026-01-02 03:04:03+00', 'grade', 'ann', 'c', 'q1', 'th', 'แม่น้ำ', 'p1', 'fi', 3, 1, 'bm25'),
    ('e5', 5, '2026-01-02 03:04:07+00', 'grade', 'ben', 'c', 'q1', 'th', 'แม่น้ำ', 'p1', 'fi', 1, NULL, 'dense');

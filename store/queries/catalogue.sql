-- From what was read of the store (raw_*) to the tables that the Data page asks. Runs in the private engine of a
-- catalogue only, never on the store; so lists, JSON and views are free to use here.

CREATE MACRO keep_numbers(answers) AS list_transform(
    list_filter(answers, lambda a: json_type(a) IN ('UBIGINT', 'BIGINT', 'DOUBLE')), lambda a: a::DOUBLE);
-- Most texts need no replacing, which is dear; the same below for trimming.
CREATE MACRO squeeze(words) AS
    CASE WHEN regexp_matches(words, '[\t\n\f\r]|  ') THEN regexp_replace(words, '\s+', ' ', 'g') ELSE words END;
-- Case, accents and line breaks make no difference when one searches.
CREATE MACRO fold(words) AS strip_accents(lower(squeeze(words)));
-- The words of a squeezed text: runs of characters without white space.
CREATE MACRO count_trimmed(words) AS CASE WHEN words = '' THEN 0 ELSE len(string_split(words, ' ')) END::INTEGER;
CREATE MACRO count_words(words) AS
    count_trimmed(CASE WHEN regexp_matches(words, '^\pZ|\pZ$') THEN trim(words) ELSE words END);

CREATE TABLE candidate_facts AS
WITH seen AS (SELECT *, fold(text) AS folded FROM raw_candidates)
SELECT id AS candidate_id, example_id, origin, model, run_id, text, count_words(folded) AS words, judgement_id,
       parent_id, created_at, folded
FROM seen ORDER BY example_id, created_at, id;

-- A million judgements say a few thousand different things: each is opened once. What people wrote is not opened.
CREATE TABLE opened AS
WITH different AS (SELECT DISTINCT kind, value FROM raw_judgements WHERE kind NOT IN ('edit', 'write')),
parts AS (
    SELECT kind, value,
           CASE kind WHEN 'compare' THEN value::JSON WHEN 'screen' THEN value::JSON -> 'compare' END AS comparison,
           CASE kind WHEN 'rate' THEN json_extract(value, '$.*') WHEN 'screen' THEN json_extract(value, '$.rate[*].*')
                     WHEN 'turns' THEN json_extract(value, '$.turns.*.*') END AS answers,
           CASE kind WHEN 'tag' THEN json_extract_string(value, '$.labels[*]')
                     WHEN 'screen' THEN json_extract_string(value, '$.tag.labels[*]') END AS labels
    FROM different
)
SELECT kind, value, comparison ->> 'verdict' AS verdict, (comparison ->> 'strength')::INTEGER AS strength,
       list_avg(keep_numbers(answers)) AS rating, list_sort(labels) AS labels
FROM parts;

CREATE TABLE task_facts AS
SELECT t.id AS task_id, t.example_id, t.kind, t.purpose, t.batch, t.rubric, t.overlap, t.candidate_ids,
       a.words AS words_a, b.words AS words_b, t.created_at
FROM raw_tasks AS t
LEFT JOIN candidate_facts AS a ON a.candidate_id = json_extract_string(t.candidate_ids, '$[0]')
LEFT JOIN candidate_facts AS b ON b.candidate_id = json_extract_string(t.candidate_ids, '$[1]');

-- `said` is what can be the same or not: a verdict, labels, or a rating rounded to a whole number.
CREATE TABLE judgements AS
SELECT j.id AS judgement_id, j.task_id, j.example_id, j.annotator, j.kind, j.value::JSON AS value, j.reason,
       o.verdict, o.strength, o.rating, o.labels,
       coalesce(o.verdict, CASE WHEN len(o.labels) > 0 THEN o.labels::VARCHAR END, round(o.rating)::INTEGER::VARCHAR)
           AS said,
       t.purpose, j.source, j.source = 'adjudication' AS is_adjudication, j.seconds, j.created_at,
       CASE WHEN o.verdict IN ('a', 'b') AND j.source = 'studio' THEN (o.verdict = 'a') = (j.shown = t.candidate_ids)
       END AS picked_first,
       CASE WHEN o.verdict IN ('a', 'b') AND t.words_a <> t.words_b
            THEN (o.verdict = 'a') = (t.words_a > t.words_b) END AS picked_longer,
       CASE WHEN o.verdict IN ('a', 'b') THEN abs(t.words_a - t.words_b) END AS words_apart
FROM raw_judgements AS j
JOIN task_facts AS t ON t.task_id = j.task_id
LEFT JOIN opened AS o ON o.kind = j.kind AND o.value = j.value
ORDER BY j.entry;

-- Of a task: the share of pairs of raters who said the same.
CREATE TABLE tasks AS
WITH votes AS (
    SELECT task_id, said, count(*) AS n FROM judgements WHERE NOT is_adjudication AND said IS NOT NULL GROUP BY ALL
), agreed AS (
    SELECT task_id, sum(n * (n - 1)) / nullif(sum(n) * (sum(n) - 1), 0) AS agreement FROM votes GROUP BY task_id
), counted AS (
    SELECT task_id, count(*) AS judgements FROM judgements WHERE NOT is_adjudication GROUP BY task_id
)
SELECT t.*, coalesce(c.judgements, 0)::INTEGER AS judgements, a.agreement
FROM task_facts AS t LEFT JOIN counted AS c USING (task_id) LEFT JOIN agreed AS a USING (task_id);
DROP TABLE task_facts;
DROP TABLE opened;

-- Known answers and repeats measure people: they count for no example.
CREATE TABLE example_facts AS
WITH answers AS (
    SELECT example_id, count(*) AS n, list_sort(list(DISTINCT model) FILTER (WHERE model IS NOT NULL)) AS models,
           list_sort(list(DISTINCT origin)) AS origins, avg(words) AS words, string_agg(folded, ' ') AS folded
    FROM candidate_facts GROUP BY example_id
), work AS (
    SELECT example_id, count(*) AS n, list_sort(list(DISTINCT kind)) AS kinds, avg(agreement) AS agreement
    FROM tasks WHERE purpose IS NULL GROUP BY example_id
), opinions AS (
    SELECT example_id, count(*) AS n, count(DISTINCT annotator) AS raters, avg(rating) AS rating,
           max(rating) - min(rating) AS spread, count(*) FILTER (WHERE verdict = 'a') AS a,
           count(*) FILTER (WHERE verdict = 'b') AS b, count(*) FILTER (WHERE verdict IN ('tie', 'both_bad')) AS ties,
           max(created_at) AS last_judged_at
    FROM judgements WHERE purpose IS NULL AND NOT is_adjudication GROUP BY example_id
), settled AS (
    SELECT DISTINCT example_id FROM judgements WHERE is_adjudication
), held AS (
    SELECT example_id, list_sort(list(DISTINCT snapshot)) AS snapshots FROM raw_snapshot_rows GROUP BY example_id
), asked AS (
    SELECT id, coalesce(list_filter(json_extract(messages, '$[*]'), lambda m: m ->> 'role' = 'user')[-1] ->> 'content',
                        '') AS request,
               fold(coalesce(list_aggregate(json_extract_string(messages, '$[*].content'), 'string_agg', ' '), '')) AS folded
    FROM raw_examples
)
SELECT row_number() OVER (ORDER BY e.position, e.id)::INTEGER AS number, e.id AS example_id, e.position, q.request, e.source, e.category, e.side, coalesce(w.kinds, []) AS kinds,
       json_array_length(e.messages)::INTEGER AS turns, count_words(squeeze(q.request)) AS words,
       coalesce(a.n, 0)::INTEGER AS answers, a.words AS answer_words, coalesce(a.models, []) AS models,
       coalesce(a.origins, []) AS origins, coalesce(w.n, 0)::INTEGER AS tasks, coalesce(o.n, 0)::INTEGER AS judgements,
       coalesce(o.raters, 0)::INTEGER AS raters, o.rating, o.spread, w.agreement, coalesce(o.a, 0)::INTEGER AS votes_a,
       coalesce(o.b, 0)::INTEGER AS votes_b, coalesce(o.ties, 0)::INTEGER AS ties,
       s.example_id IS NOT NULL AS is_adjudicated, o.last_judged_at, coalesce(h.snapshots, []) AS snapshots,
       e.group_id, e.tree, e.external_id, e.metadata::JSON AS metadata, e.messages::JSON AS messages, e.created_at,
       q.folded || ' ' || coalesce(a.folded, '') AS folded
FROM raw_examples AS e JOIN asked AS q USING (id)
LEFT JOIN answers AS a ON a.example_id = e.id LEFT JOIN work AS w ON w.example_id = e.id
LEFT JOIN opinions AS o ON o.example_id = e.id LEFT JOIN settled AS s ON s.example_id = e.id
LEFT JOIN held AS h ON h.example_id = e.id
ORDER BY number;
ALTER TABLE candidate_facts DROP COLUMN folded;

CREATE TABLE snapshot_rows AS SELECT * FROM raw_snapshot_rows;

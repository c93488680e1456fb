WITH facts (relation, fact) AS (
    SELECT c.relname,
           CASE c.relkind WHEN 'v' THEN 'view ' ELSE 'column ' END || c.relname || '.' || a.attname
           || CASE WHEN c.relkind = 'v' THEN ''
                   ELSE CASE format_type(base.oid, NULL) WHEN 'text' THEN ' text' WHEN 'bigint' THEN ' integer'
                             WHEN 'integer' THEN ' integer' WHEN 'boolean' THEN ' integer'
                             ELSE ' ' || format_type(base.oid, NULL) END
                        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END END
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    -- What a domain is made of.
    JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type base ON base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v')
    UNION ALL
    -- An index that belongs to a constraint has no name of its own that counts.
    SELECT t.relname,
           CASE WHEN EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
                THEN 'unique ' || t.relname
                ELSE 'index ' || n.relname || ' on ' || t.relname
                     || CASE WHEN i.indisunique THEN ' unique' ELSE '' END
                     || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END END
           || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.place)
                       FROM unnest(i.indkey) WITH ORDINALITY k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) || ')'
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid
    WHERE t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT t.relname,
           'reference ' || t.relname || ' ('
           || (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k (attnum, place)
               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum)
           || ') to ' || f.confrelid::regclass || ' ('
           || (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k (attnum, place)
               JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum) || ')'
    FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid
    WHERE f.contype = 'f' AND t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT t.relname, 'trigger ' || g.tgname || ' on ' || t.relname
    FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT '', 'function ' || p.proname FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgfoid = p.oid)
)
SELECT fact::text AS fact, relation NOT LIKE '\_\_diesel%' AS counts FROM facts

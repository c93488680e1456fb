WITH facts (relation, fact) AS (
    SELECT t.name,
           CASE t.type WHEN 'view' THEN 'view ' ELSE 'column ' END || t.name || '.' || c.name
           || CASE WHEN t.type = 'view' THEN '' ELSE ' ' || lower(c.type) || CASE WHEN c."notnull" THEN ' not null' ELSE '' END END
    FROM sqlite_master t JOIN pragma_table_info(t.name) c
    WHERE t.type IN ('table', 'view')
    UNION ALL
    SELECT t.name,
           CASE WHEN i.origin IN ('pk', 'u') THEN 'unique ' || t.name
                ELSE 'index ' || i.name || ' on ' || t.name
                     || CASE WHEN i."unique" THEN ' unique' ELSE '' END
                     || CASE WHEN i.partial THEN ' partial' ELSE '' END END
           || ' (' || (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')'
    FROM sqlite_master t JOIN pragma_index_list(t.name) i
    WHERE t.type = 'table'
    UNION ALL
    SELECT name, 'reference ' || name || ' (' || group_concat(source, ', ') || ') to ' || target || ' (' || group_concat(goal, ', ') || ')'
    FROM (SELECT t.name, f.id, f."from" AS source, f."table" AS target, f."to" AS goal
          FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f
          WHERE t.type = 'table' ORDER BY t.name, f.id, f.seq)
    GROUP BY name, id
    UNION ALL
    SELECT tbl_name, 'trigger ' || name || ' on ' || tbl_name FROM sqlite_master WHERE type = 'trigger'
)
SELECT fact, relation NOT LIKE '\_\_diesel%' ESCAPE '\' AS counts FROM facts

"""Statements that give the log what tests/support/gen_types.py leaves out, and those that change every row of a database.

    more(seed, features)       tables beside the generated ones: their rows come from the seed
    changes(connection, name)  UPDATE and DELETE of rows of every table
"""
import random

from support import capture_jsonb, gen_types
from support.gen_types import Col, blob, coded, text

DAYS = ["'0000-00-00 00:00:00'", "'1970-01-01 00:00:01.999999'", "'2024-02-29 23:59:59.123456'", "'2037-12-31 00:00:00.000001'"]
CLOCKS = ["'-838:59:59'", "'838:59:58.999999'", "'-00:00:00.000001'", "'00:00:00'", "'-12:34:56.789012'"]


class More(gen_types.Generator):
    def times(self):
        def times(name):
            self.table(name, [c for n in range(7) for c in (
                Col(f"dt{n}", f"DATETIME({n})", DAYS + ["'9999-12-31 23:59:58.5'", "'2021-00-00 01:02:03.4'", "'0000-01-01 00:00:00'"]),
                Col(f"ts{n}", f"TIMESTAMP({n}) NULL", DAYS), Col(f"t{n}", f"TIME({n})", CLOCKS))] + [
                Col("d", "DATE", ["'0000-00-00'", "'2024-02-29'", "'9999-12-31'"]), Col("y", "YEAR", ["0", "1901", "2155"])])

        times("more_times")
        if self.f.mariadb:
            self.run("SET GLOBAL mysql56_temporal_format=OFF")
            times("old_times")
            self.run("CREATE TABLE old_versions (id INT NOT NULL PRIMARY KEY, t TIME(2), n INT) WITH SYSTEM VERSIONING")
            self.run("SET GLOBAL mysql56_temporal_format=ON")
            self.run("INSERT INTO old_versions VALUES (1, '-01:02:03.04', 1), (2, NULL, 2), (3, '00:00:00.5', 3)")
            self.run("UPDATE old_versions SET n = 20 WHERE id = 2")
            self.run("DELETE FROM old_versions WHERE id = 3")

    def texts(self):
        special = [text(s) for s in gen_types.SAMPLES]
        self.table("long_texts", [Col("c", "CHAR(255) CHARACTER SET utf8mb4", special + ["REPEAT('😀', 255)"]),
                                  Col("c2", "CHAR(200) CHARACTER SET latin1", special),
                                  Col("v", "VARCHAR(5000)", special + ["REPEAT('ä', 5000)"]),
                                  Col("vb", "VARBINARY(300)", ["''", "X'00'", "REPEAT(X'ff00', 150)"]),
                                  Col("b", "BINARY(255)", ["''", "X'00'", "REPEAT('x', 255)", "X'2000'", "X'6120'"])], rows=5)
        if self.f.mariadb:
            self.table("compressed_texts", [
                Col(f"{k}_{cs}", f"{kind} COMPRESSED CHARACTER SET {cs}", special + ["REPEAT('abc', 100)", "REPEAT('ä', 300)"])
                for cs in ("utf8mb4", "latin1", "utf16", "sjis") for k, kind in (("v", "VARCHAR(400)"), ("t", "TEXT"))] + [
                Col("vb", "VARBINARY(400) COMPRESSED", ["''", "X'00'", "REPEAT(X'00', 400)"]),
                Col("mb", "MEDIUMBLOB COMPRESSED", ["''", "X'00'", "REPEAT(X'00ff', 40000)"])], rows=5)

    def documents(self):
        if self.f.mariadb:
            return
        capture_jsonb.R.seed(self.rng.random())

        def literal(v):
            return text(v) if v else "''"

        def document(_):
            return capture_jsonb.document(literal)

        self.table("many_documents", [Col("j", "JSON", [document(None) for _ in range(30)], document),
                                      Col("k", "JSON", ["'null'", "'{}'", "'[]'"], document)], rows=60)
        self.run("CREATE TABLE arrays (id INT NOT NULL PRIMARY KEY, j JSON, INDEX mv ((CAST(j->'$.x' AS UNSIGNED ARRAY))))")
        self.run("""INSERT INTO arrays VALUES (1, '{"x": [1, 2]}'), (2, NULL), (3, '{"x": 7}')""")

    def shapes(self):
        wkt = {"multipoint": "MULTIPOINT(0 0,1 1)", "multilinestring": "MULTILINESTRING((0 0,1 1),(2 2,3 3))",
               "multipolygon": "MULTIPOLYGON(((0 0,0 1,1 1,0 0)))", "geometrycollection": "GEOMETRYCOLLECTION(POINT(1 2))"}
        self.table("multi_shapes", [Col(k, k.upper(), [f"ST_GeomFromText('{w}')"]) for k, w in wkt.items()], rows=3)

    def kinds(self):
        self.table("nearly_full", [Col(f"c{i}", ("INT", "VARCHAR(9)", "TINYINT UNSIGNED", "DATE")[i % 4], ["NULL", "'1'", "'2001-02-03'"
                                   if i % 4 == 3 else "7"]) for i in range(67)], rows=10)
        self.run("CREATE TABLE made_columns (id INT NOT NULL PRIMARY KEY, v INT AS (id * 2) VIRTUAL, a VARCHAR(9), s VARCHAR(20) "
                 "AS (CONCAT(a, '!')) STORED, w VARCHAR(20) AS (CONCAT(a, '?')) VIRTUAL, KEY (w))")
        self.run("INSERT INTO made_columns (id, a) VALUES (1, 'ä'), (2, NULL), (3, '')")
        if self.f.has("vector"):
            make = "VEC_FromText" if self.f.mariadb else "STRING_TO_VECTOR"
            self.table("long_vectors", [Col("v", "VECTOR(300)", [f"{make}('[{','.join(str(i / 7) for i in range(300))}]')"])], rows=2)
        if self.f.has("versioned"):
            self.run("CREATE TABLE hashes (id INT NOT NULL PRIMARY KEY, a TEXT, b TEXT, n INT, UNIQUE (a) USING HASH, UNIQUE (b) "
                     "USING HASH) WITH SYSTEM VERSIONING")
            self.run("INSERT INTO hashes VALUES (1, 'x', 'y', 1), (2, NULL, 'z', 2), (3, 'q', NULL, 3)")
            self.run("CREATE TABLE periods (id INT NOT NULL, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, n INT, e TIMESTAMP(6) "
                     "GENERATED ALWAYS AS ROW END INVISIBLE, PERIOD FOR SYSTEM_TIME (s, e), PRIMARY KEY (id)) WITH SYSTEM VERSIONING")
            self.run("INSERT INTO periods (id, n) VALUES (1, 1), (2, 2), (3, 3)")
            self.run("CREATE TABLE heap (id INT NOT NULL, n INT, UNIQUE (n) USING HASH, PRIMARY KEY (id)) ENGINE=MEMORY")
            self.run("INSERT INTO heap VALUES (1, 1), (2, 2), (3, NULL)")
        if self.f.has("uuid"):
            self.table("any_uuid", [Col("u", "UUID", ["'00000000-0000-0000-0000-000000000001'"],
                                        lambda r: f"'{gen_types.uuid_text(r)}'"),
                                    Col("v", "UUID", [f"'00112233-4455-{v}677-8899-aabbccddeeff'" for v in "12345"])])

    def all(self):
        self.run("SET NAMES utf8mb4")
        self.run("SET SESSION sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00'")
        self.run(f"USE {gen_types.ident(self.database)}")
        for part in (self.times, self.texts, self.documents, self.shapes, self.kinds):
            part()
        return self.out


def more(seed, features, database):
    return More(seed, features, database, gen_types.Options(rows=10)).all()


def changes(cursor, database):
    """Statements, after a look at which tables there are."""
    cursor.execute("SELECT t.TABLE_NAME, GROUP_CONCAT(c.COLUMN_NAME ORDER BY c.COLUMN_NAME <> 'id', c.COLUMN_NAME <> 'n', "
                   "c.ORDINAL_POSITION SEPARATOR '\\t') FROM information_schema.TABLES t JOIN information_schema.COLUMNS c USING "
                   "(TABLE_SCHEMA, TABLE_NAME) WHERE t.TABLE_SCHEMA = %s AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND "
                   "c.DATA_TYPE = 'int' AND c.EXTRA NOT LIKE '%%GENERATED%%' GROUP BY 1 ORDER BY 1", (database,))
    for table, columns in cursor.fetchall():
        t, c = gen_types.ident(table), gen_types.ident(columns.split("\t")[0])
        yield f"UPDATE {t} SET {c} = {c} + 100000"
        if "documents" in table:
            yield f"UPDATE {t} SET j = JSON_SET(j, '$.new', {c}, '$[0]', {c}), j = JSON_REMOVE(j, '$[1]') WHERE {c} % 2 = 0"
        yield f"DELETE FROM {t} WHERE {c} % 3 = 0"

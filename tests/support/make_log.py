"""The workload behind the logs of tests/golden/binlog: all types, kinds of tables, transactions and changes of tables, by a
seed. Run on a server, it leaves a log and tables whose rows the log must give.

    logs, finals = make(connect, seed, {"binlog_row_image": "MINIMAL"})

finals are lines as in tests/golden/binlog/*.final.ndjson. Databases: see DATABASES.
"""

import json
import pathlib
import random

import pymysql

DATABASES = ("fx", "fx weird-ünï")
BINARY = (
    "binary",
    "varbinary",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "bit",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "vector",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
)


def text(x):
    return x.decode() if isinstance(x, bytes) else x


def literal(s):
    return "'" + s.replace("\\", "\\\\").replace("'", "''") + "'"


def ident(s):
    return "`" + s.replace("`", "``") + "`"


def finals(q):
    """What the tables hold: values as the text protocol gives them, of binary kinds in hexadecimal."""
    for db, t in q(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema LIKE 'fx%' AND table_type IN "
        "('BASE TABLE','SYSTEM VERSIONED') ORDER BY 1, 2"
    ):
        db, t = text(db), text(t)
        columns = [
            [text(x) for x in r]
            for r in q(
                "SELECT column_name, column_type, data_type, column_key FROM information_schema.columns WHERE table_schema="
                f"{literal(db)} AND table_name={literal(t)} ORDER BY ordinal_position"
            )
        ]
        cells = ",".join(f"HEX({ident(c[0])})" if c[2] in BINARY else ident(c[0]) for c in columns)
        rows = [[None if v is None else text(v) for v in r] for r in q(f"SELECT {cells} FROM {ident(db)}.{ident(t)}")]
        yield json.dumps({"db": db, "table": t, "columns": [c[:2] for c in columns], "rows": rows}, ensure_ascii=False)


def make(connect, seed, settings):
    """connect(conv=...) gives a connection that may do everything; settings are of its session."""
    cn = connect(conv={})
    cu = cn.cursor()

    def q(s, quiet=False):
        try:
            cu.execute(s)
            return cu.fetchall()
        except pymysql.err.Error as e:
            # Two sets of random words meet in a key, a JSON path leads nowhere: what the server refuses is not in its log.
            if not quiet and e.args[0] not in (1062, 3143, 3149, 4038, 1406, 3140, 3141, 3155):
                raise AssertionError(f"{s[:300]}: {e}") from e
            return None

    ver = cn.get_server_info()
    maria = "MariaDB" in ver
    mver = tuple(int(x) for x in ver.replace("5.5.5-", "").split("-")[0].split(".")[:2])
    q("SET NAMES utf8mb4")
    q("SET time_zone='+00:00'")
    q("SET sql_mode='NO_ENGINE_SUBSTITUTION'")
    for name, value in settings.items():
        q(f"SET SESSION {name} = {value}")
    for name in DATABASES:
        q(f"DROP DATABASE IF EXISTS {ident(name)}")
    q("FLUSH BINARY LOGS")
    start = text(q("SHOW BINARY LOGS")[-1][0])
    q("CREATE DATABASE fx DEFAULT CHARACTER SET utf8mb4")
    q("CREATE DATABASE `fx weird-ünï` DEFAULT CHARACTER SET latin1")
    q("USE fx")
    workload(q, random.Random(seed), maria, mver, seed)
    logs = [text(r[0]) for r in q("SHOW BINARY LOGS")]
    q("FLUSH BINARY LOGS")
    folder = pathlib.Path(text(q("SELECT @@log_bin_basename")[0][0])).parent
    held = list(finals(q))
    for name in DATABASES:
        q(f"DROP DATABASE {ident(name)}")
    cn.close()
    return [folder / f for f in logs[logs.index(start) :]], held


def workload(q, R, maria, mver, seed):
    S = lambda s: "NULL" if s is None else "'" + s.replace("\\", "\\\\").replace("'", "''") + "'"
    N = lambda f, p=0.15: "NULL" if R.random() < p else f()
    word = lambda n: "".join(
        R.choice("abcdefghijklmnop é ñ ß 中文 日本 😀🚀 Ω ж \t \n \"\\ ' % , {} []") for _ in range(R.randrange(n))
    )
    asc = lambda n: "".join(R.choice("abc XYZ 0189") for _ in range(R.randrange(n)))
    hexs = lambda n: "X'" + "".join("%02x" % R.randrange(256) for _ in range(R.randrange(n))) + "'"

    def ins(t, gens, n, batch):
        rows = ["(" + ",".join(g() for g in gens) + ")" for _ in range(n)]
        for i in range(0, n, batch):
            q(f"INSERT IGNORE INTO {t} VALUES " + ",".join(rows[i : i + batch]))

    ids = {}

    def nid(t):
        ids[t] = ids.get(t, 0) + 1
        return str(ids[t])

    def edge(lo, hi):
        return lambda: str(R.choice([lo, hi, 0, 1, lo + 1, hi - 1, R.randint(lo, hi)]))

    # --- integers
    q(
        "CREATE TABLE t_int (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a TINYINT, au TINYINT UNSIGNED, b SMALLINT, bu SMALLINT UNSIGNED, c MEDIUMINT, cu MEDIUMINT UNSIGNED, d INT, du INT UNSIGNED, e BIGINT, eu BIGINT UNSIGNED, z INT(8) ZEROFILL, bo BOOLEAN)"
    )
    I = [
        (-128, 127),
        (0, 255),
        (-32768, 32767),
        (0, 65535),
        (-8388608, 8388607),
        (0, 16777215),
        (-(2**31), 2**31 - 1),
        (0, 2**32 - 1),
        (-(2**63), 2**63 - 1),
        (0, 2**64 - 1),
        (0, 10**8 - 1),
        (0, 1),
    ]
    ins("t_int", [lambda: nid("t_int")] + [(lambda l=l, h=h: N(edge(l, h))) for l, h in I], 60, 7)
    # --- decimals and floats
    DD = [(1, 0), (5, 5), (9, 0), (10, 2), (18, 9), (19, 0), (30, 15), (38, 10), (65, 30), (65, 0)]
    q(
        "CREATE TABLE t_dec (id INT NOT NULL PRIMARY KEY, "
        + ",".join(f"d{i} DECIMAL({p},{s})" for i, (p, s) in enumerate(DD))
        + ", u DECIMAL(12,4) UNSIGNED, f FLOAT, g DOUBLE, h FLOAT(7,3), r DOUBLE UNSIGNED)"
    )

    def decv(p, s):
        k = R.random()
        ip = "".join(R.choice("0123456789") for _ in range(R.randrange(p - s + 1))) or "0"
        fp = "".join(R.choice("0123456789") for _ in range(s))
        if k < 0.1:
            ip, fp = "9" * (p - s) or "0", "9" * s
        elif k < 0.2:
            ip, fp = "0", "0" * s
        return R.choice(["", "-"]) + ip + ("." + fp if s else "")

    ins(
        "t_dec",
        [lambda: nid("t_dec")]
        + [(lambda p=p, s=s: N(lambda: decv(p, s))) for p, s in DD]
        + [
            lambda: N(lambda: decv(12, 4).lstrip("-")),
            lambda: N(lambda: repr(R.choice([0.0, -0.0, 1.5, 3.4e38, 1.17e-38, R.uniform(-1e6, 1e6)]))),
            lambda: N(lambda: repr(R.choice([0.0, 1e308, 2.3e-308, 0.1, R.uniform(-1e18, 1e18), 1 / 3]))),
            lambda: N(lambda: "%.3f" % R.uniform(-999, 999)),
            lambda: N(lambda: repr(abs(R.gauss(0, 1e9)))),
        ],
        60,
        9,
    )
    # --- temporal
    cols = (
        ["dd DATE", "y YEAR"]
        + [f"dt{i} DATETIME({i})" for i in range(7)]
        + [f"ts{i} TIMESTAMP({i}) NULL" for i in range(7)]
        + [f"tm{i} TIME({i})" for i in range(7)]
    )
    q("CREATE TABLE t_time (id INT NOT NULL PRIMARY KEY," + ",".join(cols) + ")")
    fr = lambda: ".%06d" % R.randrange(1000000)
    date = lambda: R.choice(
        [
            "'0000-00-00'",
            "'1000-01-01'",
            "'9999-12-31'",
            "'2024-02-29'",
            "'1970-01-01'",
            "'%04d-%02d-%02d'" % (R.randrange(1, 9999), R.randrange(1, 13), R.randrange(1, 29)),
            "'2021-00-00'",
        ]
    )
    dtm = lambda: R.choice(
        [
            "'0000-00-00 00:00:00'",
            "'1000-01-01 00:00:00'",
            "'9999-12-31 23:59:59'",
            "'%04d-%02d-%02d %02d:%02d:%02d%s'"
            % (
                R.randrange(1000, 9999),
                R.randrange(1, 13),
                R.randrange(1, 29),
                R.randrange(24),
                R.randrange(60),
                R.randrange(60),
                fr(),
            ),
        ]
    )
    tsm = lambda: R.choice(
        [
            "'1970-01-01 00:00:01'",
            "'2038-01-19 03:14:07'",
            "'0000-00-00 00:00:00'",
            "'%04d-%02d-%02d %02d:%02d:%02d%s'"
            % (
                R.randrange(1971, 2037),
                R.randrange(1, 13),
                R.randrange(1, 29),
                R.randrange(24),
                R.randrange(60),
                R.randrange(60),
                fr(),
            ),
        ]
    )
    tim = lambda: R.choice(
        [
            "'838:59:58'",
            "'-838:59:58'",
            "'00:00:00'",
            "'-00:00:01.000001'",
            "'-00:00:00.5'",
            "'%s%02d:%02d:%02d%s'" % (R.choice(["", "-"]), R.randrange(800), R.randrange(60), R.randrange(60), fr()),
        ]
    )
    ins(
        "t_time",
        [lambda: nid("t_time"), lambda: N(date), lambda: N(lambda: R.choice(["0", "1901", "2155", "2026", "1999"]))]
        + [lambda: N(dtm)] * 7
        + [lambda: N(tsm)] * 7
        + [lambda: N(tim)] * 7,
        80,
        11,
    )
    # --- strings in many character sets
    cs = ["latin1", "utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32", "cp1251", "gbk", "sjis", "latin2", "binary"]
    q(
        "CREATE TABLE t_str (id INT NOT NULL PRIMARY KEY, "
        + ",".join(f"c{i} CHAR(40) CHARACTER SET {c}, v{i} VARCHAR(400) CHARACTER SET {c}" for i, c in enumerate(cs))
        + ", w CHAR(255) CHARACTER SET utf8mb4, tt TINYTEXT, t TEXT CHARACTER SET latin1, mt MEDIUMTEXT, lt LONGTEXT) CHARACTER SET utf8mb4"
    )
    ins(
        "t_str",
        [lambda: nid("t_str")]
        + sum(
            [
                [
                    lambda: N(lambda: S(R.choice([asc(40), word(20), "Ж" * 5, "中文", "é" * 30, "", " ", "x "]))),
                    lambda: N(lambda: S(R.choice([asc(300), word(100), "я" * 130, "日本語" * 40, ""]))),
                ]
                for _ in cs
            ],
            [],
        )
        + [
            lambda: N(lambda: S(R.choice(["w" * 255, "😀" * 255, word(200)]))),
            lambda: N(lambda: S(word(60))),
            lambda: N(lambda: S(asc(1200))),
            lambda: N(lambda: S(word(1500))),
            lambda: N(lambda: S(word(200))),
        ],
        50,
        6,
    )
    # --- binary, bit, enum, set
    q(
        "CREATE TABLE t_bin (id INT NOT NULL PRIMARY KEY, b BINARY(16), vb VARBINARY(300), tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB, b1 BIT(1), b8 BIT(8), b9 BIT(9), b33 BIT(33), b64 BIT(64), en ENUM('','a','b,c','d''e','ж','😀'), st SET('x','y','z','ä','q r'), big ENUM("
        + ",".join(f"'m{i}'" for i in range(300))
        + "), s64 SET("
        + ",".join(f"'s{i}'" for i in range(64))
        + "))"
    )
    bit = lambda n: (lambda: N(lambda: str(R.choice([0, 1, (1 << n) - 1, R.getrandbits(n)]))))
    ins(
        "t_bin",
        [
            lambda: nid("t_bin"),
            lambda: N(lambda: hexs(17)),
            lambda: N(lambda: hexs(300)),
            lambda: N(lambda: hexs(200)),
            lambda: N(lambda: hexs(2000)),
            lambda: N(lambda: hexs(3000)),
            lambda: N(lambda: hexs(100)),
            bit(1),
            bit(8),
            bit(9),
            bit(33),
            bit(64),
            lambda: N(lambda: str(R.randrange(0, 7))),
            lambda: N(lambda: str(R.randrange(32))),
            lambda: N(lambda: str(R.randrange(1, 301))),
            lambda: N(lambda: str(R.choice([0, 1, 2**64 - 1, R.getrandbits(64)]))),
        ],
        60,
        8,
    )
    # --- json
    q("CREATE TABLE t_json (id INT NOT NULL PRIMARY KEY, j JSON, k JSON, note VARCHAR(20))")

    def js(d=0):
        k = R.randrange(9 if d < 4 else 6)
        return (
            [
                None,
                True,
                R.choice([0, -1, 32767, -32769, 65536, 2**31, 2**53, -(2**63), 2**64 - 1]),
                R.choice([0.5, -1e-7, 1e100, 3.0]),
                R.choice(["", "a", "ж😀", "x" * 130, 'quote"\\/\n\t', "y" * 20000 if R.random() < 0.03 else "z"]),
                R.randrange(100),
                lambda: {
                    R.choice(["a", "b", "key with space", "ключ", "k" * 60, ""]) + str(i): js(d + 1)
                    for i in range(R.randrange(5))
                },
                lambda: [js(d + 1) for _ in range(R.randrange(6))],
                lambda: {},
            ][k]
            if k < 6
            else [None] * 6
            and [
                lambda: {
                    R.choice(["a", "b", "key with space", "ключ", "k" * 60, ""]) + str(i): js(d + 1)
                    for i in range(R.randrange(5))
                },
                lambda: [js(d + 1) for _ in range(R.randrange(6))],
                lambda: {},
            ][k - 6]()
        )

    jl = lambda: S(json.dumps(js(), ensure_ascii=False))
    ins("t_json", [lambda: nid("t_json"), lambda: N(jl), lambda: N(jl), lambda: S(asc(10))], 80, 8)
    if not maria:
        q(
            "INSERT INTO t_json VALUES (1001, JSON_OBJECT('d', CAST('2024-02-29' AS DATE), 't', CAST('-12:34:56.789' AS TIME(6)), 'dt', CAST('2020-01-01 10:11:12.123456' AS DATETIME(6)), 'dec', CAST(12345.6789 AS DECIMAL(20,8)), 'b', CAST('abc' AS BINARY)), JSON_ARRAY(CAST(1 AS UNSIGNED), -1, NULL, TRUE), 'opaque')"
        )
        q(
            "INSERT INTO t_json SELECT 1002, CONCAT('[', REPEAT('{\"a\": 1234567, \"text\": \"0123456789\"},', 4000), '1]'), NULL, 'large'"
        )
    for i in range(1, 40):
        q(f"UPDATE t_json SET j=JSON_SET(j, '$.a0', {R.randrange(9)}), k=JSON_REMOVE(k, '$[0]') WHERE id={i}", True)
        q(f"UPDATE t_json SET j=JSON_REPLACE(j, '$.b1', 'x{i}'), note='upd{i}' WHERE id={i}", True)
        if R.random() < 0.3:
            q(f"UPDATE t_json SET k=JSON_ARRAY_INSERT(k, '$[1]', {i}) WHERE id={i}", True)
    # documents large enough that partial updates are worth it to the server: set, replace, remove, array insert, several at once, on both columns
    q("CREATE TABLE t_pj (id INT NOT NULL PRIMARY KEY, j JSON, k JSON)")
    for i in range(1, 9):
        q(
            f"INSERT INTO t_pj VALUES ({i}, "
            + S(
                json.dumps(
                    {
                        "a": i,
                        "name": "x" * 200,
                        "list": list(range(30)),
                        "sub": {"p": 1.5, "q": None, "ключ": "ж" * 50},
                        "n": {"deep": {"er": [1, {"z": "y" * 90}]}},
                    },
                    ensure_ascii=False,
                )
            )
            + ", "
            + S(json.dumps(["e%d" % z for z in range(60)]))
            + ")"
        )
    for i in range(60):
        e = R.choice(
            [
                f"j=JSON_SET(j,'$.a',{R.randrange(9**9)})",
                "j=JSON_REPLACE(j,'$.sub.p',%r)" % R.choice([2.25, "str", 10**17]),
                f"j=JSON_SET(j,'$.new{i % 5}',CAST('[1,{{\"x\":{i}}}]' AS " + ("JSON" if not maria else "CHAR") + "))",
                "j=JSON_REMOVE(j,'$.list[3]')",
                f"k=JSON_SET(k,'$[{R.randrange(40)}]','r{i}'), j=JSON_REPLACE(j,'$.n.deep.er[1].z','w{i}')",
                "k=JSON_ARRAY_INSERT(k,'$[2]','ins')",
                "k=JSON_REMOVE(k,'$[0]'), j=JSON_REMOVE(j,'$.sub.q')",
                "j=JSON_SET(j,'$.sub.\"ключ\"',NULL)",
            ]
        )
        q(
            f"UPDATE t_pj SET {e} WHERE id"
            + R.choice([f"={R.randrange(1, 9)}", f" IN ({R.randrange(1, 9)},{R.randrange(1, 9)})"])
        )
    # --- geometry, no key, generated, invisible, quoted names, keys of other kinds
    q("CREATE TABLE t_geo (id INT NOT NULL PRIMARY KEY, g GEOMETRY, p POINT, l LINESTRING, y POLYGON)")
    for i in range(12):
        q(
            f"INSERT INTO t_geo VALUES ({i}, ST_GeomFromText('POINT({R.randrange(99)} {R.random():.6f})'), {N(lambda: 'ST_GeomFromText(%r)' % ('POINT(%d -%d)' % (R.randrange(9), R.randrange(9))))}, ST_GeomFromText('LINESTRING(0 0,1 {i},2 2)'), ST_GeomFromText('POLYGON((0 0,9 0,9 9,0 9,0 0))'))"
        )
    q("CREATE TABLE t_nopk (a INT, b VARCHAR(20), KEY(a))")
    ins("t_nopk", [lambda: N(lambda: str(R.randrange(5))), lambda: N(lambda: S(asc(5)))], 30, 10)
    q("UPDATE t_nopk SET b=CONCAT(b, '!') WHERE a=1")
    q("DELETE FROM t_nopk WHERE a=2 LIMIT 2")
    q(
        "CREATE TABLE t_gen (id INT NOT NULL PRIMARY KEY, a INT, b INT AS (a+1) VIRTUAL, c VARCHAR(30) AS (CONCAT('v', a)) STORED, d INT DEFAULT 7)"
    )
    q("INSERT INTO t_gen (id, a) VALUES (1,1),(2,NULL),(3,3)")
    q("UPDATE t_gen SET a=a*10, id=id+100")
    q(
        "CREATE TABLE `fx weird-ünï`.`tab``le 名` (`select` INT NOT NULL, `a b` VARCHAR(10), `a-b` VARCHAR(10), `1x` INT, `ключ` INT, PRIMARY KEY (`select`, `1x`)) CHARACTER SET latin1"
    )
    for i in range(10):
        q(f"INSERT INTO `fx weird-ünï`.`tab``le 名` VALUES ({i}, 'é{i}', NULL, {i % 3}, {i})")
    q("UPDATE `fx weird-ünï`.`tab``le 名` SET `select`=`select`+1000 WHERE `1x`=1")
    q(
        "CREATE TABLE t_strpk (k VARCHAR(40) CHARACTER SET utf8mb4 NOT NULL, n INT, v TEXT, PRIMARY KEY (k, n))"
        if not maria
        else "CREATE TABLE t_strpk (k VARCHAR(40) CHARACTER SET utf8mb4 NOT NULL, n INT NOT NULL, v TEXT, PRIMARY KEY (k, n))"
    )
    for i in range(30):
        q(
            f"INSERT INTO t_strpk VALUES ({S(word(20) + str(i))}, {i}, {S(word(30))}) ON DUPLICATE KEY UPDATE v='dup'",
            True,
        )
    q("UPDATE t_strpk SET k=CONCAT('moved ', n) WHERE n BETWEEN 5 AND 9")
    # --- transactions: rollback, savepoint, several tables, XA, replace, truncate, a big row, many rows
    q("START TRANSACTION")
    q("INSERT INTO t_gen (id,a) VALUES (500,1)")
    q("SAVEPOINT s1")
    q("INSERT INTO t_gen (id,a) VALUES (501,1)")
    q("ROLLBACK TO s1")
    q("UPDATE t_int SET d=42 WHERE id<5")
    q("DELETE FROM t_dec WHERE id<4")
    q("COMMIT")
    q("START TRANSACTION")
    q("DELETE FROM t_int")
    q("ROLLBACK")
    xid = f"'g{seed}','b',7"
    q(f"XA START {xid}")
    q("INSERT INTO t_gen (id,a) VALUES (600,6)")
    q(f"XA END {xid}")
    q(f"XA PREPARE {xid}")
    q(f"XA COMMIT {xid}")
    xid = f"'h{seed}'"
    q(f"XA START {xid}")
    q("INSERT INTO t_gen (id,a) VALUES (601,6)")
    q(f"XA END {xid}")
    q(f"XA PREPARE {xid}")
    q(f"XA ROLLBACK {xid}")
    q("REPLACE INTO t_gen (id,a) VALUES (500,55),(700,77)")
    q("CREATE TABLE t_tr (a INT NOT NULL PRIMARY KEY)")
    q("INSERT INTO t_tr VALUES (1),(2)")
    q("TRUNCATE t_tr")
    q("INSERT INTO t_tr VALUES (3)")
    q("INSERT INTO t_bin (id, lb) VALUES (9001, REPEAT(X'00ff10', 60000))")
    q("UPDATE t_bin SET b8=1 WHERE id=9001")
    q("CREATE TABLE t_many (id INT NOT NULL PRIMARY KEY, a INT, s VARCHAR(50))")
    ins(
        "t_many",
        [lambda: nid("t_many"), lambda: N(lambda: str(R.randrange(1000))), lambda: N(lambda: S(asc(50)))],
        1500,
        500,
    )
    q("UPDATE t_many SET a=a+1 WHERE id%2=0")
    q("DELETE FROM t_many WHERE id%7=0")
    # --- DDL in mid-stream, rows before and after each change
    q("CREATE TABLE t_ddl (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(10))")
    q("INSERT INTO t_ddl VALUES (1,1,'one')")
    for s in [
        "ALTER TABLE t_ddl ADD COLUMN c INT DEFAULT 5",
        "INSERT INTO t_ddl VALUES (2,2,'two',2)",
        "ALTER TABLE t_ddl ADD COLUMN z DATETIME(3) FIRST",
        "INSERT INTO t_ddl VALUES ('2024-01-02 03:04:05.678',3,3,'three',3)",
        "ALTER TABLE t_ddl MODIFY a BIGINT UNSIGNED, MODIFY b VARCHAR(300)",
        "UPDATE t_ddl SET a=18446744073709551615 WHERE id=2",
        "ALTER TABLE t_ddl CHANGE b bee TEXT",
        "INSERT INTO t_ddl VALUES (NULL,4,4,'four',4)",
        "ALTER TABLE t_ddl DROP COLUMN c",
        "INSERT INTO t_ddl VALUES (NULL,5,5,'five')",
        "/* comment */ RENAME TABLE t_ddl TO t_ddl2",
        "INSERT INTO t_ddl2 VALUES (NULL,6,6,'six')",
        "ALTER TABLE t_ddl2 MODIFY bee TEXT AFTER id, ADD KEY (a), COMMENT='x'",
        "UPDATE t_ddl2 SET a=60 WHERE id=6",
        "CREATE TABLE t_like LIKE t_ddl2",
        "INSERT INTO t_like SELECT * FROM t_ddl2",
        "CREATE TABLE t_ctas (PRIMARY KEY(id)) AS SELECT id, a FROM t_int WHERE id<10",
        "DROP TABLE t_tr",
        "ALTER TABLE t_like CONVERT TO CHARACTER SET latin1",
        "DELETE FROM t_like WHERE id=1",
    ]:
        q(s)
    if maria:
        q(
            "CREATE TABLE t_ma (id INT NOT NULL PRIMARY KEY, i6 INET6"
            + (", u UUID, i4 INET4" if mver >= (10, 10) else "")
            + (", v VECTOR(3) NOT NULL" if mver >= (11, 7) else "")
            + ")"
        )
        for i in range(5):
            q(
                f"INSERT INTO t_ma VALUES ({i}, '2001:db8::{i}'"
                + (f", '123e4567-e89b-12d3-a456-42661417400{i}', '10.0.0.{i}'" if mver >= (10, 10) else "")
                + (f", Vec_FromText('[1.5,{i},-2]')" if mver >= (11, 7) else "")
                + ")"
            )
        q("CREATE SEQUENCE sq START 5")
        q("SELECT NEXTVAL(sq)")
        q("CREATE OR REPLACE TABLE t_sysver (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING")
        q("INSERT INTO t_sysver VALUES (1,1)")
        q("UPDATE t_sysver SET a=2")
        q("CREATE TABLE t_comp (id INT NOT NULL PRIMARY KEY, c TEXT COMPRESSED, d VARCHAR(500) COMPRESSED)")
        q("INSERT INTO t_comp VALUES (1, REPEAT('abc', 900), REPEAT('z', 400)), (2, NULL, 'short')")
    else:
        q("ALTER TABLE t_gen ALTER COLUMN d SET INVISIBLE")
        q("INSERT INTO t_gen (id, a) VALUES (800, 8)")
        if mver >= (9, 0):
            q("CREATE TABLE t_vec (id INT NOT NULL PRIMARY KEY, v VECTOR(4))")
            q("INSERT INTO t_vec VALUES (1, STRING_TO_VECTOR('[1,2.5,-3,1e10]')), (2, NULL)")
        q("SET sql_generate_invisible_primary_key=ON", True)
        q("CREATE TABLE t_gipk (a INT)")
        q("INSERT INTO t_gipk VALUES (1),(2)")
        q("UPDATE t_gipk SET a=9 WHERE a=1")

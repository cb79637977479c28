#!/usr/bin/env python3
"""A seeded generator of databases that exercise every type: extreme values, every character set, nasty
names, kinds of keys, empty tables, a thousand columns, zero dates, bytes without a character.

    gen_types.py --seed 1 --family mysql --version 9.7 DATABASE >out.sql
    statements(seed, Features("mariadb", (10, 11)), "types")      as a module

The same seed and features give the same statements. Rows of a table begin with each column's special
values (one after the other, so that each occurs), then a row of NULLs, then random ones.
"""
import argparse
import dataclasses
import random
import struct
import sys

# Unicode of every width and of many scripts, to be converted into whatever a character set can hold.
SAMPLES = ["", " ", "a", "trailing  ", "  leading", "a\tb\nc\r\n", "it's \"quoted\" \\ back`tick`", "0", "NULL", "\\N",
           "Grüße, Straße", "façade œuvre Ÿ €", "zażółć gęślą jaźń", "Příliš žluťoučký", "İstanbul ığüş", "Привет, мир",
           "Ґанок ї є", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "สวัสดีชาวโลก", "გამარჯობა", "Բարև", "नमस्ते",
           "日本語テキスト", "ｱｲｳ ソ表能", "中文简体", "繁體中文功蓋", "한국어 텍스트", "~‾¥₩", "—–…“”‘’•™", "½¼¾×÷±",
           "e\u0301 \u00e9", "\u200b\u200d\ufeff", "😀🎉👩‍👩‍👧‍👦", "𝒳𐍈𠀀", "\u0001\u001f\u007f\u0080", "a\0b", "x" * 40]
SINGLE_BYTE = ["latin1", "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852",
               "cp866", "dec8", "hp8", "koi8r", "koi8u", "greek", "hebrew", "armscii8", "geostd8", "keybcs2",
               "macce", "macroman", "swe7", "tis620", "ascii"]
MULTI_BYTE = ["big5", "cp932", "eucjpms", "euckr", "gb2312", "gbk", "sjis", "ujis", "ucs2", "utf16", "utf16le",
              "utf32", "utf8mb3", "utf8mb4"]


@dataclasses.dataclass
class Features:
    family: str = "mysql"  # or mariadb
    version: tuple = (9, 7)

    @classmethod
    def of(cls, version_text):
        """From SELECT VERSION()."""
        numbers = version_text.removeprefix("5.5.5-").split("-")[0].split(".")
        return cls("mariadb" if "MariaDB" in version_text else "mysql", tuple(int(n) for n in numbers[:2]))

    @property
    def mariadb(self):
        return self.family == "mariadb"

    def has(self, what):
        mysql, mariadb = {
            "uuid": (None, (10, 7)), "inet4": (None, (10, 10)), "inet6": (None, (10, 5)), "vector": ((9, 0), (11, 7)),
            "gb18030": ((5, 7), None), "invisible": ((8, 0), (10, 3)), "srid": ((8, 0), None),
            "versioned": (None, (10, 3)), "sequence": (None, (10, 3)), "long_timestamp": (None, (11, 5)),
            "gipk": ((8, 4), None), "functional_index": ((8, 0), None),
        }[what]
        least = mariadb if self.mariadb else mysql
        return least is not None and self.version >= least


@dataclasses.dataclass
class Options:
    rows: int = 40  # random rows of a table
    wide: int = 1000  # columns of the widest table
    big: int = 0  # MiB of one LONGTEXT
    zero_dates: bool = True
    invalid_text: bool = True
    charsets: bool = True


def ident(name):
    return "`" + name.replace("`", "``") + "`"


def text(s):
    """A literal that needs no escaping whatever sql_mode is."""
    return f"_utf8mb4 X'{s.encode('utf-8').hex()}'" if s else "''"


def blob(b):
    return f"X'{b.hex()}'" if b else "''"


def coded(charset, b):
    """Bytes that are text of this character set already."""
    return f"_{charset} X'{b.hex()}'" if b else "''"


@dataclasses.dataclass
class Col:
    name: str
    ddl: str
    special: list
    make: object = None  # a function of a random.Random, gives a literal
    null: bool = True

    def random(self, rng):
        return self.make(rng) if self.make else rng.choice(self.special)


def integer(name, ddl, low, high):
    return Col(name, ddl, [str(v) for v in (low, high, 0, 1, high - 1, *((-1, low + 1) if low < 0 else ()))],
               lambda r: str(r.randint(low, high) >> r.choice((0, 0, r.randrange(64)))))


class Generator:
    def __init__(self, seed, features, database, options):
        self.rng, self.f, self.o = random.Random(seed), features, options
        self.database = database
        self.out = []

    def run(self, sql):
        self.out.append(sql)

    def table(self, name, columns, key="id", suffix="", rows=None, extra=""):
        """A table with the key `id` (or what `key` says: '' is none), its special and its random rows."""
        columns = list(columns)
        parts = [f"{ident(c.name)} {c.ddl}{'' if c.null else ' NOT NULL'}" for c in columns]
        if key == "id":
            parts.insert(0, "id INT NOT NULL PRIMARY KEY")
        elif key:
            parts.append(key)
        if extra:
            parts.append(extra)
        self.run(f"CREATE TABLE {ident(name)} ({', '.join(parts)}) {suffix}")
        lines = [[c.special[i % len(c.special)] for c in columns]
                 for i in range(max((len(c.special) for c in columns), default=0))]
        if all(c.null for c in columns):
            lines.append(["NULL"] * len(columns))
        for _ in range(self.o.rows if rows is None else rows):
            lines.append(["NULL" if c.null and self.rng.random() < 0.15 else c.random(self.rng) for c in columns])
        self.insert(name, columns, lines, key == "id")

    def insert(self, name, columns, lines, numbered=True):
        names = ", ".join((["id"] if numbered else []) + [ident(c.name) for c in columns])
        for at in range(0, len(lines), 50):
            values = ", ".join("(" + ", ".join(([str(at + i + 1)] if numbered else []) + line) + ")"
                               for i, line in enumerate(lines[at : at + 50]))
            self.run(f"INSERT INTO {ident(name)} ({names}) VALUES {values}")

    # --- types ------------------------------------------------------------------------------

    def numbers(self):
        columns = []
        for kind, bits in (("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)):
            columns.append(integer(kind.lower(), kind, -(1 << bits - 1), (1 << bits - 1) - 1))
            columns.append(integer(kind.lower() + "_u", kind + " UNSIGNED", 0, (1 << bits) - 1))
        columns += [
            Col("flag", "BOOLEAN", ["0", "1"]), Col("flag1", "TINYINT(1)", ["1", "0"]),
            Col("not_a_flag", "TINYINT(1)", ["0", "1", "2", "-128", "127"]),
            integer("zerofill", "INT(8) UNSIGNED ZEROFILL", 0, (1 << 32) - 1),
            Col("year", "YEAR", ["0", "1901", "2155", "1970", "2024"]),
        ]
        self.table("integers", columns)
        self.table("bits", [Col(f"bit{n}", f"BIT({n})", [f"b'{'1' * n}'", "b'0'", "b'1'"],
                                lambda r, n=n: f"b'{r.getrandbits(n):b}'")
                            for n in (1, 2, 7, 8, 9, 31, 32, 33, 63, 64)])
        decimals = []
        for p, s in ((1, 0), (5, 0), (9, 0), (10, 2), (18, 18), (19, 4), (20, 0), (30, 30), (37, 10), (38, 0), (38, 30),
                     (39, 0), (40, 10), (65, 0), (65, 30)):
            def number(r, p=p, s=s):
                digits = "".join(r.choice("0123456789") for _ in range(r.randint(1, p)))
                return r.choice(("-", "")) + plain(digits, s)

            decimals.append(Col(f"d{p}_{s}", f"DECIMAL({p},{s})", [
                plain("9" * p, s), "-" + plain("9" * p, s), "0", "-0", plain("1", s), "-" + plain("1", s)], number))
        decimals.append(Col("d_u", "DECIMAL(12,3) UNSIGNED ZEROFILL", ["0", "999999999.999", "1.5"]))
        self.table("decimals", decimals)

        def double(r):
            while True:
                v = struct.unpack("<d", r.randbytes(8))[0]
                if v == v and abs(v) < 1.7e308 and abs(v) > 1e-300:
                    return repr(v)

        def single(r):
            while True:
                v = struct.unpack("<f", r.randbytes(4))[0]
                if v == v and 1e-37 < abs(v) < 3.4e38:
                    return repr(v)

        self.table("floats", [
            Col("f", "FLOAT", ["0", "-0e0", "1.5", "0.1", "3.4028234663852886e38", "-3.4028234663852886e38",
                               "1.1754943508222875e-38", "16777217", "1e10", "123456.789"], single),
            Col("d", "DOUBLE", ["0", "-0e0", "0.1", "1e15", "1.7976931348623157e308", "-1.7976931348623157e308",
                                "2.2250738585072014e-308", "1e22", "123456789012345680", "0.30000000000000004"], double),
            Col("f_u", "FLOAT UNSIGNED", ["0", "0.1"]), Col("d_md", "DOUBLE(10,3)", ["0", "1234567.891", "-0.001"]),
        ])

    def times(self):
        def digits(r, n):
            return "" if n == 0 else "." + "".join(r.choice("0123456789") for _ in range(n))

        def day(r, low=1000, high=9999):
            return f"{r.randint(low, high):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"

        def clock(r, hours=23):
            return f"{r.randint(0, hours):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}"

        top = 2105 if self.f.has("long_timestamp") else 2037
        columns = [Col("d", "DATE", ["'1000-01-01'", "'9999-12-31'", "'1970-01-01'", "'1969-12-31'", "'2024-02-29'",
                                     "'1582-10-10'", "'0001-01-01'", "'0000-01-01'", "'1900-03-01'"],
                       lambda r: f"'{day(r)}'")]
        for n in (0, 1, 3, 6):
            nine = "." + "9" * n if n else ""
            columns += [
                Col(f"dt{n}", f"DATETIME({n})", ["'1000-01-01 00:00:00'", f"'9999-12-31 23:59:59{nine}'",
                                                 f"'1969-12-31 23:59:59{nine}'", "'1970-01-01 00:00:00'",
                                                 f"'0000-01-01 00:00:00{nine}'"],
                    lambda r, n=n: f"'{day(r)} {clock(r)}{digits(r, n)}'"),
                Col(f"ts{n}", f"TIMESTAMP({n}) NULL", ["'1970-01-01 00:00:01'", f"'2038-01-19 03:14:07{nine}'",
                                                       "'2024-03-31 02:30:00'", "'2001-09-09 01:46:40'"]
                    + (["'2106-02-07 06:28:15'", "'2038-01-19 03:14:08'"] if self.f.has("long_timestamp") else []),
                    lambda r, n=n: f"'{day(r, 1971, top)} {clock(r)}{digits(r, n)}'"),
                Col(f"t{n}", f"TIME({n})", [f"'-838:59:59{'.' + '0' * n if n else ''}'", "'838:59:59'", "'00:00:00'",
                                            f"'-00:00:00{'.' + '0' * (n - 1) + '1' if n else ''}'",
                                            f"'837:59:59{nine}'", f"'-837:59:59{nine}'", "'-00:00:01'"],
                    lambda r, n=n: f"'{r.choice(('-', ''))}{clock(r, 837)}{digits(r, n)}'"),
            ]
        self.table("times", columns)
        if not self.o.zero_dates:
            return
        zero = ["'0000-00-00'", "'2024-00-00'", "'2024-05-00'", "'0000-05-17'", "'2024-02-28'"]
        self.run("SET SESSION sql_mode='ALLOW_INVALID_DATES'")
        columns = [Col("d", "DATE", zero + ["'2023-02-31'", "'2023-04-31'"]),
                   Col("dt", "DATETIME(3)", [z[:-1] + " 10:11:12.123'" for z in zero[1:]] + ["'0000-00-00 00:00:00'"]),
                   Col("ts", "TIMESTAMP(6) NULL", ["'0000-00-00 00:00:00'", "'2024-01-01 00:00:00'"])]
        self.table("zero_dates", columns, rows=0)
        self.table("zero_dates_not_null", [
            Col(c.name, c.ddl.removesuffix(" NULL"), [s for s in c.special], null=False) for c in columns], rows=0)
        self.table("zero_date_key", [Col("d", "DATE", zero, null=False), Col("n", "INT", ["1", "2"])],
                   key="PRIMARY KEY (d)", rows=0)
        self.run("SET SESSION sql_mode=''")

    def texts(self):
        def words(r):
            return text(r.choice(SAMPLES) + "".join(chr(r.choice((r.randint(32, 126), r.randint(160, 0x24F),
                        r.randint(0x3041, 0x9FFF), r.randint(0x1F300, 0x1F64F)))) for _ in range(r.randint(0, 12))))

        special = [text(s) for s in SAMPLES]
        self.table("texts", [Col("c", "CHAR(60)", special, words), Col("v", "VARCHAR(60)", special, words),
                             Col("tiny", "TINYTEXT", special, words), Col("t", "TEXT", special, words),
                             Col("m", "MEDIUMTEXT", [*special, f"REPEAT({text('ä€😀')}, 100000)"], words),
                             Col("l", "LONGTEXT", [*special, "REPEAT('0123456789abcdef', 65536)"], words)],
                   suffix="CHARACTER SET utf8mb4")
        every = bytes(range(256))
        blobs = [blob(b) for b in (b"", b"\0", b"\0\0\0", b"a\0", b"abc   ", b"\xff" * 8, every[:16], "é".encode())]

        def noise(r):
            return blob(r.randbytes(r.randint(0, 16)))

        self.table("binaries", [Col("b", "BINARY(16)", blobs, noise), Col("vb", "VARBINARY(16)", blobs, noise),
                                Col("tiny", "TINYBLOB", [*blobs, blob(every[:255])], noise),
                                Col("bl", "BLOB", [*blobs, blob(every)], noise),
                                Col("m", "MEDIUMBLOB", [*blobs, f"REPEAT({blob(every)}, 1024)"], noise),
                                Col("l", "LONGBLOB", blobs, noise)])
        if self.o.charsets:
            self.charsets(special)
        if self.o.big:
            self.run("CREATE TABLE big_text (id INT NOT NULL PRIMARY KEY, t LONGTEXT CHARACTER SET utf8mb4)")
            half = (self.o.big << 20) // 2
            # A function's result is bounded by max_allowed_packet; a column is not.
            self.run(f"INSERT INTO big_text VALUES (1, 'small'), (2, REPEAT('ab', {half // 2})), (3, 'after')")
            self.run("UPDATE big_text SET t = CONCAT(t, t) WHERE id = 2")

    def charsets(self, special):
        for charset in SINGLE_BYTE:
            columns = [Col("c", f"VARCHAR(8) CHARACTER SET {charset}",
                           [coded(charset, bytes((b,))) for b in self.codes(charset)]),
                       Col("t", f"TEXT CHARACTER SET {charset}", special)]
            self.table(f"cs_{charset}", columns, rows=5)
        for charset in MULTI_BYTE + (["gb18030"] if self.f.has("gb18030") else []):
            self.table(f"cs_{charset}", [Col("c", f"CHAR(50) CHARACTER SET {charset}", special),
                                         Col("v", f"VARCHAR(50) CHARACTER SET {charset}", special),
                                         Col("t", f"MEDIUMTEXT CHARACTER SET {charset}", special)], rows=5)

    @staticmethod
    def codes(charset):
        return range(128) if charset in ("ascii", "swe7") else range(256)

    def labels(self):
        nasty = ["a", "b,c", "it's", 'say "x"', "back\\slash", "tab\there", "Grün", "😀", "", "NULL", " lead", "0", "1"]
        enum = ", ".join(sql_quote(s) for s in nasty)
        members = [s for s in nasty if s and "," not in s]
        many = ", ".join(f"'m{i}'" for i in range(64))
        self.table("labels", [
            Col("e", f"ENUM({enum})", [str(i) for i in range(0, len(nasty) + 1)]),
            Col("e_latin1", f"ENUM({sql_quote('grün')}, 'x') CHARACTER SET latin1", ["1", "2", "0"]),
            Col("s", f"SET({', '.join(sql_quote(m) for m in members)})",
                ["0", "1", str((1 << len(members)) - 1), "5"], lambda r: str(r.getrandbits(len(members)))),
            Col("s64", f"SET({many})", ["0", "1", str((1 << 64) - 1), str(1 << 63)], lambda r: str(r.getrandbits(64))),
            Col("big", "ENUM(" + ", ".join(f"'label{i}'" for i in range(300)) + ")", ["1", "255", "256", "300", "0"]),
        ], suffix="CHARACTER SET utf8mb4")

    def documents(self):
        docs = ['{}', '[]', 'null', 'true', '0', '-1', '"text"', '""', '{"a": 1, "b": [1, 2, {"c": null}]}',
                '{"big": 18446744073709551615, "small": -9223372036854775808}', '{"f": 1.5, "e": 1e100, "z": 0.1}',
                '{"u": "Grüße 😀 \\u00e9 \\" \\\\ \\/ \\n"}', '{"nul": "\\u0000"}', '{"": 1, "a b": {"ü": []}}',
                '[' * 20 + ']' * 20, '{"k": "' + "v" * 70000 + '"}', '[1.0, 100, 1e2, 123456789012345678901234567890]']
        special = [text(d) for d in docs]
        self.table("documents", [Col("j", "JSON", special)], suffix="CHARACTER SET utf8mb4")
        self.run("INSERT INTO documents VALUES (9001, JSON_ARRAY(1, 'x', NULL)), (9002, JSON_OBJECT('k', 1.25))")
        if not self.f.mariadb:
            self.run("INSERT INTO documents VALUES (9003, JSON_ARRAY(CAST('2024-01-02 03:04:05.6' AS DATETIME(6)), "
                     "CAST('2024-01-02' AS DATE), CAST('-12:00:00' AS TIME), CAST(1.50 AS DECIMAL(10,2)), "
                     "CAST(X'00ff' AS BINARY)))")

    def shapes(self):
        wkt = ["POINT(1 2)", "POINT(-179.5 1e-7)", "LINESTRING(0 0,1 1,2 0)", "POLYGON((0 0,0 4,4 4,4 0,0 0),(1 1,1 2,2 2,1 1))",
               "MULTIPOINT(0 0,1 1)", "MULTILINESTRING((0 0,1 1),(2 2,3 3))", "MULTIPOLYGON(((0 0,0 1,1 1,0 0)))",
               "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))"]
        made = [f"ST_GeomFromText('{w}')" for w in wkt]
        made += [f"ST_GeomFromText('{w}', 4326)" for w in (wkt[0], wkt[2])] + ["ST_GeomFromText('POINT(5 6)', 3857)"]
        self.table("shapes", [Col("g", "GEOMETRY", made), Col("p", "POINT", [made[0], made[1], made[8]]),
                              Col("l", "LINESTRING", [made[2]]), Col("poly", "POLYGON", [made[3]]),
                              Col("gc", "GEOMETRYCOLLECTION", [made[7]])], rows=5)
        if self.f.has("srid"):
            self.table("shapes_srid", [Col("p", "POINT SRID 4326", [made[8]])], rows=2)

    def others(self):
        if self.f.has("vector"):
            make = "VEC_FromText" if self.f.mariadb else "STRING_TO_VECTOR"
            values = [f"{make}('{v}')" for v in ("[0,0,0]", "[1.5,-2.25,3e38]", "[0.1,1e-37,-1]")]
            self.table("vectors", [Col("v", "VECTOR(3)", values)], rows=5)
        if self.f.has("uuid"):
            self.table("uuids", [Col("u", "UUID", ["'00000000-0000-0000-0000-000000000000'",
                                                   "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
                                                   "'123e4567-e89b-12d3-a456-426655440000'"],
                                     lambda r: f"'{uuid_text(r)}'")])
            self.table("uuid_key", [Col("u", "UUID", ["'00000000-0000-0000-0000-000000000000'"],
                                        lambda r: f"'{uuid_text(r)}'", null=False)], key="PRIMARY KEY (u)")
        if self.f.has("inet6"):
            columns = [Col("six", "INET6", ["'::'", "'::1'", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'",
                                            "'::ffff:192.0.2.1'", "'2001:db8::ff00:42:8329'"])]
            if self.f.has("inet4"):
                columns.append(Col("four", "INET4", ["'0.0.0.0'", "'255.255.255.255'", "'192.0.2.1'"]))
            self.table("addresses", columns)

    # --- keys, names, kinds of tables -------------------------------------------------------

    def keys(self):
        r = self.rng

        def keyed(name, columns, key, values):
            self.run(f"CREATE TABLE {ident(name)} ({', '.join([*columns, 'n INT'])}{', ' + key if key else ''}) "
                     "CHARACTER SET utf8mb4")
            for at in range(0, len(values), 200):
                self.run(f"INSERT INTO {ident(name)} VALUES " + ", ".join(
                    f"({', '.join(v)}, {at + i})" for i, v in enumerate(values[at : at + 200])))

        count = 500
        keyed("key_negative", ["k BIGINT NOT NULL"], "PRIMARY KEY (k)",
              [[str(v)] for v in {-(1 << 63), -1, 0, (1 << 63) - 1, *(r.randint(-10**6, 10**6) for _ in range(count))}])
        keyed("key_unsigned", ["k BIGINT UNSIGNED NOT NULL"], "PRIMARY KEY (k)",
              [[str(v)] for v in {0, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, *(r.getrandbits(64) for _ in range(count))}])
        keyed("key_decimal", ["k DECIMAL(20,6) NOT NULL"], "PRIMARY KEY (k)",
              [[f"{v / 1000:.3f}"] for v in {r.randint(-10**9, 10**9) for _ in range(count)}])
        keyed("key_datetime", ["k DATETIME(6) NOT NULL"], "PRIMARY KEY (k)",
              [[f"'2024-01-01 00:00:00' + INTERVAL {v} MICROSECOND"] for v in {r.randint(0, 10**13) for _ in range(count)}])
        keyed("key_date", ["k DATE NOT NULL"], "PRIMARY KEY (k)",
              [[f"'1990-01-01' + INTERVAL {v} DAY"] for v in range(count)])
        keyed("key_time", ["k TIME NOT NULL"], "PRIMARY KEY (k)",
              [[f"SEC_TO_TIME({v})"] for v in {r.randint(-3000000, 3000000) for _ in range(count)}])
        keyed("key_timestamp", ["k TIMESTAMP(3) NOT NULL DEFAULT '2000-01-01 00:00:00'"], "PRIMARY KEY (k)",
              [[f"'2024-01-01 00:00:00' + INTERVAL {v} SECOND"] for v in range(0, count * 61, 61)])
        keyed("key_binary", ["k BINARY(16) NOT NULL"], "PRIMARY KEY (k)",
              [[blob(b)] for b in {bytes(16), b"\xff" * 16, *(r.randbytes(16) for _ in range(count))}])
        keyed("key_varbinary", ["k VARBINARY(20) NOT NULL"], "PRIMARY KEY (k)",
              [[blob(b)] for b in {b"", b"\0", b"\0\0", b"a", b"a\0", *(r.randbytes(r.randint(1, 20)) for _ in range(count))}])
        keyed("key_enum", ["k ENUM('z','a','m') NOT NULL"], "PRIMARY KEY (k)", [["1"], ["2"], ["3"]])
        keyed("key_year", ["k YEAR NOT NULL"], "PRIMARY KEY (k)", [[str(y)] for y in (0, 1901, 2000, 2155)])
        keyed("key_bit", ["k BIT(40) NOT NULL"], "PRIMARY KEY (k)", [[str(r.getrandbits(40))] for _ in range(50)])
        words = {"".join(r.choice("abcdefgh") for _ in range(r.randint(1, 12))) for _ in range(count)}
        words |= {"it's", "back\\slash", "ü", "zß", "😀", "éa", "%", "_", "`", '"', "日本", "x y"}
        collations = ["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci", "latin1_swedish_ci", "latin1_german2_ci"]
        collations += ["utf8mb4_unicode_nopad_ci" if self.f.mariadb else "utf8mb4_0900_ai_ci", "ucs2_general_ci", "utf16_bin",
                       "sjis_japanese_ci"]
        for collation in collations:
            cs = collation.split("_")[0]
            name = f"key_{collation}"
            self.run(f"CREATE TABLE {name} (k VARCHAR(30) CHARACTER SET {cs} COLLATE {collation} NOT NULL, n INT, "
                     "PRIMARY KEY (k))")
            self.run(f"INSERT IGNORE INTO {name} VALUES " + ", ".join(
                f"({text(w)}, {i})" for i, w in enumerate(sorted(words))))
        keyed("key_composite", ["a INT NOT NULL", "b VARCHAR(10) NOT NULL", "c DATE NOT NULL"], "PRIMARY KEY (b, c, a)",
              [[str(i % 7), text("bk%d" % (i % 11)), f"'2024-01-01' + INTERVAL {i % 13} DAY"] for i in range(1001)])
        keyed("key_descending", ["a INT NOT NULL", "b INT NOT NULL"], "PRIMARY KEY (a DESC, b)",
              [[str(i % 20), str(i)] for i in range(count)])
        keyed("key_unique", ["a INT NOT NULL", "b INT"], "UNIQUE KEY u2 (b), UNIQUE KEY u1 (a)",
              [[str(i), "NULL" if i % 3 else str(i)] for i in range(200)])
        keyed("key_unique_nullable", ["a INT", "b INT"], "UNIQUE KEY (a)", [["NULL", str(i % 2)] for i in range(20)])
        keyed("key_prefix", ["a VARCHAR(100) NOT NULL"], "UNIQUE KEY (a(10))", [[text(f"{i:010}tail")] for i in range(100)])
        self.run("CREATE TABLE keyless (a INT, b VARCHAR(20), c DOUBLE) CHARACTER SET utf8mb4")
        for _ in range(3):
            self.run("INSERT INTO keyless VALUES (1,'same',0.5),(1,'same',0.5),(NULL,NULL,NULL),(2,'ü',-0e0)")
        self.run("INSERT INTO keyless VALUES " + ", ".join(f"({r.randint(0, 9)}, 'w{r.randint(0, 9)}', {r.random()!r})"
                                                          for _ in range(300)))
        self.table("only_key", [Col("k", "INT", [str(i) for i in range(100)], null=False)], key="PRIMARY KEY (k)", rows=0)
        if self.f.has("gipk"):
            self.run("SET SESSION sql_generate_invisible_primary_key=ON")
            self.run("CREATE TABLE generated_key (a INT, b INT)")
            self.run("INSERT INTO generated_key (a, b) VALUES (1,1),(1,1),(2,NULL)")
            self.run("SET SESSION sql_generate_invisible_primary_key=OFF")

    def names(self):
        columns = ["4th", "1", "a b", "a-b", "a.b", "a_b", "a$b", "ä", "ö", "日本", "select", "order", "with`tick",
                   'with"quote', "it's", "back\\slash", "_op", "_seq", "_sdc_sequence", "_sdc_other", "__sdc_primary_key",
                   "UPPER", "MixedCase", "a_b_2", "x" * 64, "ü" * 64, "%s", "a;b", "-- x", "rowid", "null", "{}", "€"]
        self.table("nasty names", [Col(c, "INT", ["1", "2"]) for c in columns], rows=3)
        for name in ["select", "with space", "with.dot", "ünïcode", "日本", "it's", 'quo"te', "tick`s", "back\\slash", "1234",
                     "UPPER_case", "x" * 64, "per%cent", "dash-ed", "a;b", "$dollar", "#hash"]:
            self.table(name, [Col("v", "INT", ["1", "2"])], rows=1)

    def kinds(self):
        self.run("CREATE TABLE empty_keyed (id INT NOT NULL PRIMARY KEY, t TEXT, d DATE)")
        self.run("CREATE TABLE empty_keyless (a INT, t TEXT)")
        wide = [f"c{i:04} {('INT', 'TINYINT', 'DATE', 'BIGINT UNSIGNED')[i % 4]}" for i in range(self.o.wide - 1)]
        if wide:
            self.run(f"CREATE TABLE wide_table (id INT NOT NULL PRIMARY KEY, {', '.join(wide)})")
            self.run("INSERT INTO wide_table (id) VALUES (1)")
            for row in (2, 3):
                self.run("INSERT INTO wide_table VALUES (" + ", ".join([str(row)] + [
                    f"'2024-01-{i % 28 + 1:02}'" if i % 4 == 2 else str(i % 100) for i in range(self.o.wide - 1)]) + ")")
        self.run("CREATE TABLE computed (id INT NOT NULL PRIMARY KEY, a INT, b INT GENERATED ALWAYS AS (a + 1) STORED, "
                 "c INT GENERATED ALWAYS AS (a * 2) VIRTUAL)")
        self.run("INSERT INTO computed (id, a) VALUES (1, 1), (2, NULL), (3, -5)")
        if self.f.has("invisible"):
            self.run("CREATE TABLE invisible (id INT NOT NULL PRIMARY KEY, a INT INVISIBLE, b INT)")
            self.run("INSERT INTO invisible (id, a, b) VALUES (1, 10, 100), (2, NULL, 200)")
        if self.f.has("functional_index"):
            self.run("CREATE TABLE functional_index (id INT NOT NULL PRIMARY KEY, a INT, INDEX f ((a * 2)))")
            self.run("INSERT INTO functional_index VALUES (1, 1), (2, 2)")
        if self.f.has("versioned"):
            self.run("CREATE TABLE versioned (id INT NOT NULL PRIMARY KEY, a INT) WITH SYSTEM VERSIONING")
            self.run("INSERT INTO versioned VALUES (1, 1), (2, 2)")
            self.run("UPDATE versioned SET a = 10 WHERE id = 1")
            self.run("DELETE FROM versioned WHERE id = 2")
        if self.f.mariadb:
            self.run("CREATE TABLE long_unique (a INT, t TEXT, UNIQUE (t) USING HASH)")
            self.run("INSERT INTO long_unique VALUES (1, 'x'), (2, NULL)")
            self.run("CREATE TABLE compressed (id INT NOT NULL PRIMARY KEY, t TEXT COMPRESSED, b BLOB COMPRESSED)")
            self.run("INSERT INTO compressed VALUES (1, REPEAT('abc', 1000), REPEAT('x', 500)), (2, '', NULL)")
        if self.f.has("sequence"):
            self.run("CREATE SEQUENCE a_sequence")
        self.run("CREATE TABLE partitioned (id INT NOT NULL, d DATE NOT NULL, PRIMARY KEY (id, d)) PARTITION BY RANGE "
                 "(YEAR(d)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE)")
        self.run("INSERT INTO partitioned VALUES " + ", ".join(f"({i}, '{2015 + i % 10}-06-01')" for i in range(100)))
        self.run("CREATE TABLE myisam_table (id INT NOT NULL PRIMARY KEY, t VARCHAR(20)) ENGINE=MyISAM")
        self.run("INSERT INTO myisam_table VALUES (1, 'a'), (2, 'b')")
        self.run("CREATE VIEW a_view AS SELECT id, a FROM computed")

    def invalid(self):
        """Codes that the server stores and that no character belongs to."""
        if not self.o.invalid_text:
            return
        for charset, bad in (("cp1251", b"\x98"), ("ucs2", b"\xd8\x00"), ("gbk", b"\xfe\xfe"), ("cp1250", b"\x81")):
            self.run(f"CREATE TABLE invalid_{charset} (id INT NOT NULL PRIMARY KEY, t VARCHAR(20) CHARACTER SET {charset})")
            self.run(f"INSERT INTO invalid_{charset} VALUES (1, 'good'), (2, {coded(charset, bad)}), (3, 'also good')")

    def all(self):
        self.run("SET NAMES utf8mb4")
        self.run("SET SESSION sql_mode='', time_zone='+00:00'")
        self.run(f"DROP DATABASE IF EXISTS {ident(self.database)}")
        self.run(f"CREATE DATABASE {ident(self.database)} CHARACTER SET utf8mb4")
        self.run(f"USE {ident(self.database)}")
        for part in (self.numbers, self.times, self.texts, self.labels, self.documents, self.shapes, self.others,
                     self.keys, self.names, self.kinds, self.invalid):
            part()
        return self.out


def sql_quote(s):
    return "'" + s.replace("\\", "\\\\").replace("'", "''") + "'"


def plain(digits, scale):
    """'12345' with scale 2 is 123.45"""
    if not scale:
        return digits
    digits = digits.rjust(scale + 1, "0")
    return digits[:-scale] + "." + digits[-scale:]


def uuid_text(rng):
    """Versions 1 (stored in another order by MariaDB) and 4; it refuses some of the others."""
    h = rng.randbytes(16).hex()
    h = h[:12] + rng.choice("14") + h[13:16] + rng.choice("89ab") + h[17:]
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def statements(seed, features, database, options=None):
    return Generator(seed, features, database, options or Options()).all()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", choices=("mysql", "mariadb"), default="mysql")
    parser.add_argument("--version", default="9.7")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--wide", type=int, default=1000)
    parser.add_argument("--big", type=int, default=0, metavar="MIB")
    args = parser.parse_args()
    features = Features(args.family, tuple(int(n) for n in args.version.split(".")[:2]))
    for sql in statements(args.seed, features, args.database, Options(args.rows, args.wide, args.big)):
        sys.stdout.write(sql + ";\n")


if __name__ == "__main__":
    main()

"""A seeded random workload on one database of a real server, and what every table held after each commit.

    w = Workload(connect, port, "shop", seed=7)     # connect(**more): a PyMySQL connection
    w.setup()                                       # tables of every kind of key, columns of every type
    for _ in range(200): w.step()                   # a transaction, a schema change, a decision about a prepared one
    w.states[n]                                     # what all tables held when table `commits` said n, one or more

Every transaction writes its number into table `commits`, so that a copy tells which states it must be equal to: those
recorded while that number stood. (There are several where something committed that has no number: a schema change, a
statement by itself, the second half of a prepared transaction.) The same seed gives the same statements on the same
server. With several writers nothing is recorded, and `commits` has a row for each.
"""
import collections
import dataclasses
import random
import threading

import pymysql

from support import gen_types
from support.gen_types import Col, blob, ident, text
from support.source import Source

CHANGES = {"key_changes", "replace", "multi", "rollback", "savepoint", "xa", "loose", "json", "generated"}
SESSIONS = {"row_image", "compression", "partial_json", "modes"}
DDL = {"add_null", "add_default", "add_not_null", "drop_column", "rename_column", "widen", "narrow", "labels_append",
       "labels_reorder", "nullability", "index", "comment", "rename_table", "truncate", "drop_create", "partitions",
       "exchange", "charset", "swap_in", "rekey", "rebuild"}
# What follows the log must derive what it does not say; and settings of the whole server (put back by close()).
SPECIAL = {"cascades", "statements", "myisam", "metadata", "compressed_log"}
ALL = CHANGES | SESSIONS | DDL

# A random statement may be refused by the server, and is counted then; these say that the workload is wrong.
WRONG = {1064, 1149}
LOCKED = {1020, 1205, 1213, 1614, 3572}  # the transaction is gone, or better ended
WORDS = ["a", "b", "c", "anna", "Anna", "ANNA", "\u00e9mile", "Emile", "stra\u00dfe", "strasse", "x ", "x", "", "z9", "Z9", "\u00fc", "u"]


@dataclasses.dataclass
class Field(Col):
    fixed: bool = False  # no schema change touches it
    computed: bool = False
    labels: list = None  # of an ENUM
    wider: list = None  # types from narrow to wide; `ddl` is one of them

    def literal(self, rng):
        return "NULL" if self.null and rng.random() < 0.12 else self.random(rng)

    def definition(self):
        return f"{ident(self.name)} {self.ddl}{'' if self.null or self.computed else ' NOT NULL'}"


@dataclasses.dataclass
class Tab:
    name: str
    fields: list
    key: list  # names, in the key's order; empty: keyless
    unique: bool = False  # the key is a unique one, not the primary
    suffix: str = ""
    kind: str = ""  # int, part, family, myisam, xa: what may be done with it
    touches: tuple = ()  # tables that change with it
    after: str = ""  # a statement behind CREATE TABLE

    def field(self, name):
        return next(f for f in self.fields if f.name == name)

    def written(self):
        return [f for f in self.fields if not f.computed]

    def free(self):
        """Columns that random statements change."""
        return [f for f in self.fields if not f.computed and f.name not in self.key]

    def loose(self):
        """Columns that schema changes may touch."""
        return [f for f in self.fields if not f.fixed and not f.computed and f.name not in self.key]

    def create(self, name=None):
        parts = [f.definition() for f in self.fields]
        if self.key:
            parts.append(("UNIQUE KEY" if self.unique else "PRIMARY KEY") + f" ({', '.join(map(ident, self.key))})")
        return f"CREATE TABLE {ident(name or self.name)} ({', '.join(parts)}) {self.suffix}"

    def order(self):
        return ", ".join(map(ident, self.key or ["n"]))


class Palette(gen_types.Generator):
    """The columns of gen_types' tables, without the tables: every type, with its special and its random values."""

    def __init__(self, features):
        super().__init__(0, features, "", gen_types.Options(rows=0, wide=0, invalid_text=False))
        self.kinds = []
        for part in (self.numbers, self.times, self.texts, self.labels, self.documents, self.shapes, self.others):
            part()

    def run(self, sql):
        pass

    def table(self, name, columns, **_):
        for c in columns:
            if name.startswith("cs_") and c.name == "c" and len(c.ddl.split()[0]) == 10:
                continue  # VARCHAR(8): every code of the character set, some without a character
            special = [s for s in c.special if len(s) < 4000 and not s.startswith("REPEAT(")]
            if c.null and special:
                self.kinds.append((f"{name}.{c.name}", c.ddl, special, c.make))


def number(low, high):
    return lambda r: str(r.randint(low, high))


class Recorded:
    """What a table held: stands for a Source where one table's rows are asked for."""

    def __init__(self, table, rows):
        self.table, self.rows = table, rows

    def values(self, _):
        return self.rows


class Connection:
    """One writer's session."""

    def __init__(self, workload, rng):
        self.w, self.rng = workload, rng
        self.c = workload.connect(database=workload.database)
        self.plain()
        for sql in ("SET SESSION innodb_lock_wait_timeout=1", "SET SESSION lock_wait_timeout=20"):
            self.c.query(sql)

    def plain(self):
        for sql in ("SET NAMES utf8mb4", "SET SESSION sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00'"):
            self.c.query(sql)

    def try_run(self, sql, what):
        """True when the statement did something or nothing; False when it was refused."""
        w = self.w
        if w.trace is not None:
            w.trace.append(sql)
        try:
            self.c.query(sql)
        except pymysql.MySQLError as e:
            code = e.args[0]
            if code in LOCKED:
                raise Locked(code) from e
            if code in WRONG or 2000 <= code < 3000:
                raise AssertionError(f"{e}\nin: {sql[:2000]}\nseed {w.seed}") from e
            w.refused[what, code] += 1
            return False
        w.done[what] += 1
        return True

    def settings(self):
        """Another way to write the log, or to read literals, from here on."""
        w, r = self.w, self.rng
        ways = []
        if "row_image" in w.classes:
            images = ["FULL", "MINIMAL", "NOBLOB"] + (["FULL_NODUP"] if w.features.mariadb and w.features.version >= (11, 4) else [])
            ways.append(f"SET SESSION binlog_row_image={r.choice(images)}")
        if "compression" in w.classes and not w.features.mariadb:
            ways.append(f"SET SESSION binlog_transaction_compression={r.choice(('ON', 'OFF'))}")
        if "partial_json" in w.classes and not w.features.mariadb:
            ways.append(f"SET SESSION binlog_row_value_options={r.choice(('PARTIAL_JSON', chr(39) * 2))}")
        if "modes" in w.classes:
            modes = ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT,NO_AUTO_VALUE_ON_ZERO", "STRICT_ALL_TABLES"]
            modes += ["EMPTY_STRING_IS_NULL", "ORACLE"] if w.features.mariadb else ["TIME_TRUNCATE_FRACTIONAL"]
            ways += [f"SET SESSION sql_mode='ALLOW_INVALID_DATES,{r.choice(modes)}'",
                     f"SET SESSION time_zone='{r.choice(('+00:00', '-05:30', '+13:00'))}'",
                     f"SET NAMES {r.choice(('utf8mb4', 'latin1', 'gbk'))}",
                     f"SET SESSION TRANSACTION ISOLATION LEVEL {r.choice(('READ COMMITTED', 'REPEATABLE READ'))}",
                     f"SET SESSION unique_checks={r.choice((0, 1))}"]
        if "statements" in w.classes:
            ways.append(f"SET SESSION binlog_format={r.choice(('ROW', 'ROW', 'STATEMENT'))}")
        if "metadata" in w.classes:
            words = ("NO_LOG", "MINIMAL", "FULL") if w.features.mariadb else ("MINIMAL", "FULL")
            ways.append(f"SET GLOBAL binlog_row_metadata={r.choice(words)}")
        if "compressed_log" in w.classes and w.features.mariadb:
            ways.append(f"SET GLOBAL log_bin_compress={r.choice((0, 1))}")
        if ways:
            self.try_run(r.choice(ways), "settings")

    def close(self):
        self.c.close()


class Locked(Exception):
    pass


class Workload:
    def __init__(self, connect, port, database, seed, classes=ALL, rows=12, writers=1, record=True):
        self.connect, self.port, self.database, self.seed = connect, port, database, seed
        self.rng = random.Random(f"{seed} workload")
        self.classes, self.rows, self.writers = set(classes), rows, writers
        self.record = record and writers == 1
        self.trace = None  # a list: every statement is kept
        self.done, self.refused = collections.Counter(), collections.Counter()
        self.tabs, self.away, self.prepared = {}, {}, []
        self.named = self.next_kind = 0
        self.n, self.states, self.now = 0, {}, {}
        self.lock = threading.Lock()
        self.main = self.source = None

    # --- the tables -----------------------------------------------------------------------------

    def setup(self):
        self.features = gen_types.Features.of(self.version())
        self.palette = Palette(self.features).kinds
        if "metadata" in self.classes:  # labels that the catalog cuts are then known to nobody: such rows are rejected
            self.palette = [k for k in self.palette if "\U0001f600" not in k[1]]
        self.rng.shuffle(self.palette)
        self.main = Connection(self, self.rng)
        self.source = Source(port=self.port)
        self.run("CREATE TABLE commits (id INT NOT NULL PRIMARY KEY, n BIGINT)")
        self.run("INSERT INTO commits VALUES " + ", ".join(f"({i}, 0)" for i in range(self.writers)))
        for tab in self.make_tabs():
            self.run(tab.create())
            if tab.after:
                self.run(tab.after)
            self.tabs[tab.name] = tab
        if "xa" in self.classes:
            for name, key in (("xa_keyed", ["id"]), ("xa_keyless", [])):
                self.tabs[name] = Tab(name, [Field("id", "INT", ["1"], null=False), Field("n", "INT", ["0", "1"]),
                                             *self.columns(2)], key, kind="xa")
                self.run(self.tabs[name].create())
        for tab in self.tabs.values():
            for _ in range(self.rows // 3):
                self.main.try_run(self.insert(self.rng, tab, 3), "setup")
        self.selected = ["commits", *self.tabs]
        for name in self.selected:
            self.look_at(name)
        self.keep()

    def version(self):
        c = self.connect()
        with c.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            version = cursor.fetchone()[0]
        c.close()
        return version

    def run(self, sql):
        if self.trace is not None:
            self.trace.append(sql)
        self.main.c.query(sql)

    def fresh(self, prefix="c"):
        self.named += 1
        return f"{prefix}{self.named}"

    def column(self, spatial=True):
        """The next kind of the shuffled palette: a run of many columns has all."""
        while True:
            self.next_kind += 1
            name, ddl, special, make = self.palette[self.next_kind % len(self.palette)]
            if spatial or not name.startswith("shapes"):
                return Field(self.fresh(), ddl, special, make)

    def columns(self, count, spatial=True):
        return [self.column(spatial) for _ in range(count)]

    def base(self, least=2, most=5, spatial=True):
        """What every table has behind its key."""
        return [Field("n", "INT", [str(i) for i in range(8)], fixed=True), *self.columns(self.rng.randint(least, most), spatial)]

    def make_tabs(self):
        r, utf8 = self.rng, "CHARACTER SET utf8mb4"
        ints, days = number(-20, 60), number(0, 300)

        def key(name, ddl, make):
            return Field(name, ddl, ["1"], make, null=False)

        word = lambda rng: text(rng.choice(WORDS))  # noqa: E731
        moment = lambda rng: f"'2024-01-01' + INTERVAL {rng.randint(0, 40) * 1000001} MICROSECOND"  # noqa: E731
        tabs = [
            Tab("k_int", [key("id", "INT", ints), *self.base()], ["id"], suffix=utf8, kind="int"),
            Tab("k_pair", [key("a", "INT", number(0, 5)), *self.base(), key("b", "VARCHAR(12) COLLATE utf8mb4_general_ci", word),
                           key("c", "DATE", lambda rng: f"'2024-01-01' + INTERVAL {rng.randint(0, 3)} DAY")], ["b", "c", "a"],
                suffix=utf8),
            Tab("k_text", [key("k", "VARCHAR(20)", word), *self.base()], ["k"],
                suffix=utf8 + r.choice([" COLLATE utf8mb4_general_ci", " COLLATE utf8mb4_bin"])),
            Tab("k_bytes", [key("k", "BINARY(8)", lambda rng: blob(bytes([rng.randrange(40)]) * rng.randint(0, 8))), *self.base()],
                ["k"]),
            Tab("k_decimal", [key("k", "DECIMAL(20,6)", lambda rng: f"{rng.randint(-30, 30) / 8}"), *self.base()], ["k"]),
            Tab("k_time", [*self.base(), key("k", "DATETIME(6)", moment)], ["k"]),
            Tab("u_int", [Field("n", "INT", [str(i) for i in range(8)], fixed=True), key("u", "BIGINT UNSIGNED", number(0, 60)),
                          *self.columns(3)], ["u"], unique=True, kind="int"),
            Tab("bare", [Field("n", "INT", ["0", "1", "2"], fixed=True), Field("w", "VARCHAR(12)", [text("same"), text("other")]),
                         Field("x", "DOUBLE", ["0.5", "-0e0", "0"])], [], suffix=utf8),
            Tab("bare_wide", self.base(4, 8), [], suffix=utf8),
            Tab("shifts", [key("id", "INT", ints), *self.base(0, 1),
                           Field("w", "INT", ["1", "-5", "70000"], wider=["SMALLINT", "INT", "BIGINT"]),
                           Field("s", "VARCHAR(20)", [text("short"), text("\u00fcber lang")],
                                 wider=["VARCHAR(4)", "VARCHAR(20)", "VARCHAR(300)", "MEDIUMTEXT"]),
                           Field("d", "DECIMAL(10,2)", ["1.25", "-99.5"], wider=["DECIMAL(6,1)", "DECIMAL(10,2)", "DECIMAL(20,4)"]),
                           Field("e", "ENUM('a','b','c')", ["1", "2", "3", "0"], labels=["a", "b", "c"])], ["id"], suffix=utf8,
                kind="int"),
            Tab("parts", [key("id", "INT", days), *self.base(1, 2, spatial=False)], ["id"], kind="part", suffix="PARTITION BY RANGE (id) ("
                "PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200), PARTITION p2 VALUES LESS THAN (400))"),
        ]
        if "generated" in self.classes:
            tabs.append(Tab("made", [key("id", "INT", ints), *self.base(1, 2), Field("v", "INT AS (n * 2) VIRTUAL", [], computed=True),
                                     Field("s", "INT AS (n + 1) STORED", [], computed=True)], ["id"], kind="int"))
        if "json" in self.classes:
            docs = [text(d) for d in ('{"a": 1, "b": [1, 2, 3], "s": "some text that is long enough"}', '{"a": {"deep": [null]}}', '[]')]
            tabs.append(Tab("docs", [key("id", "INT", ints), Field("n", "INT", ["0", "1"], fixed=True), Field("j", "JSON", docs),
                                     Field("j2", "JSON", docs), *self.columns(1)], ["id"], suffix=utf8, kind="docs"))
        if "cascades" in self.classes:
            family = ("f_a", "f_b", "f_c")
            parent = number(1, 15)
            # One level: what is derived of f_b is not handed on to children of its own.
            for name, above, how in (("f_a", None, ""), ("f_b", "f_a", "ON DELETE CASCADE"), ("f_c", "f_a", "ON DELETE SET NULL")):
                fields = [key("id", "INT", parent), *self.base(0, 2)]
                after = ""
                if above:
                    fields.append(Field("up", "INT", ["1", "2"], parent, fixed=True))
                    after = f"ALTER TABLE {name} ADD FOREIGN KEY (up) REFERENCES {above} (id) ON UPDATE CASCADE {how}"
                tabs.append(Tab(name, fields, ["id"], kind="family", touches=family, after=after))
        if "myisam" in self.classes:
            tabs.append(Tab("plain", [key("id", "INT", ints), *self.base(1, 2, spatial=False)], ["id"], suffix="ENGINE=MyISAM", kind="myisam"))
        return tabs

    # --- statements -------------------------------------------------------------------------------

    def insert(self, r, t, count, verb="INSERT", tail=""):
        fields = t.written()
        if "row_image" in self.classes and r.random() < 0.4:  # the log may not have what the statement does not name
            fields = [f for f in fields if not f.null or f.name in t.key or r.random() < 0.5]
        rows = ", ".join("(" + ", ".join(f.literal(r) for f in fields) + ")" for _ in range(count))
        if verb == "INSERT" and not tail and r.random() < 0.7:
            verb = "INSERT IGNORE"  # else one equal key refuses all rows
        return f"{verb} INTO {ident(t.name)} ({', '.join(ident(f.name) for f in fields)}) VALUES {rows}{tail}"

    def where(self, r, t):
        if r.random() < 0.04:
            return ""
        text = f" WHERE n {r.choice(('=', '=', '>', '<>'))} {r.randrange(8)}"
        if r.random() < 0.7:
            text += f" ORDER BY {t.order()}{r.choice(('', ' DESC'))} LIMIT {r.randint(1, 4)}"
        return text

    def assign(self, r, t, prefix=""):
        chosen = r.sample(t.free(), min(len(t.free()), r.randint(1, 3)))
        return ", ".join(f"{prefix}{ident(f.name)} = " + (f"{prefix}`n` + 1" if f.name == "n" and r.random() < 0.3 else f.literal(r))
                         for f in chosen)

    def change(self, r, t):
        """(what, statements, tables) of one random change of one table."""
        ways = ["insert"] * 4 + ["update"] * 5 + ["delete"] * 3 + ["copy"]
        if "replace" in self.classes and t.key:
            ways += ["replace", "upsert"]
        if "key_changes" in self.classes and t.key:
            ways += ["move"] * 2 + (["shift", "swap"] if t.kind == "int" else [])
        if t.kind == "docs":
            ways += ["json"] * 4
        rows = len(self.now[t.name].rows) if t.name in self.now else 0
        if rows > 4 * self.rows or not self.record and r.random() < 0.05:
            ways = ["thin"]
        way = r.choice(ways)
        return way, getattr(self, "do_" + way)(r, t), {t.name, *t.touches}

    def do_insert(self, r, t):
        return [self.insert(r, t, r.choice((1, 1, 2, 5)))]

    def do_update(self, r, t):
        return [f"UPDATE {ident(t.name)} SET {self.assign(r, t)}{self.where(r, t)}"]

    def do_delete(self, r, t):
        return [f"DELETE FROM {ident(t.name)}{self.where(r, t)}"]

    def do_thin(self, r, t):
        return [f"DELETE FROM {ident(t.name)} ORDER BY {t.order()} LIMIT {3 * self.rows}"]

    def do_copy(self, r, t):
        """INSERT ... SELECT from the table itself: equal rows where there is no key."""
        fields = t.written()
        chosen = ", ".join(f.literal(r) if f.name in t.key else ident(f.name) for f in fields)
        return [f"INSERT IGNORE INTO {ident(t.name)} ({', '.join(ident(f.name) for f in fields)}) SELECT {chosen} FROM "
                f"{ident(t.name)} ORDER BY {t.order()} LIMIT {r.randint(1, 3)}"]

    def do_replace(self, r, t):
        return [self.insert(r, t, r.randint(1, 3), "REPLACE")]

    def do_upsert(self, r, t):
        return [self.insert(r, t, r.randint(1, 3), tail=f" ON DUPLICATE KEY UPDATE {self.assign(r, t)}")]

    def do_move(self, r, t):
        f = t.field(r.choice(t.key))
        value = r.choice((f"UPPER({ident(f.name)})", f"CONCAT({ident(f.name)}, ' ')")) if "VARCHAR" in f.ddl and r.random() < 0.4 \
            else f.literal(r)
        more = f", {self.assign(r, t)}" if r.random() < 0.4 else ""
        return [f"UPDATE {ident(t.name)} SET {ident(f.name)} = {value}{more} ORDER BY {t.order()} LIMIT 1"]

    def do_shift(self, r, t):
        k = ident(t.key[0])
        return [f"UPDATE {ident(t.name)} SET {k} = {k} + 1 ORDER BY {k} DESC"]

    def do_swap(self, r, t):
        """The first two rows change keys."""
        k, name = ident(t.key[0]), ident(t.name)
        return [f"SELECT @a := {k} FROM {name} ORDER BY {k} LIMIT 1", f"SELECT @b := {k} FROM {name} ORDER BY {k} LIMIT 1, 1",
                f"UPDATE {name} SET {k} = 9999 WHERE {k} = @a", f"UPDATE {name} SET {k} = @a WHERE {k} = @b",
                f"UPDATE {name} SET {k} = @b WHERE {k} = 9999"]

    def do_json(self, r, t):
        value = r.choice(("NULL", "7", "JSON_OBJECT('x', 1)", "REPEAT('v', 30)", "1.5"))
        change = r.choice((f"JSON_SET(j, '$.a', {value})", f"JSON_REPLACE(j, '$.b[1]', {value})", "JSON_REMOVE(j, '$.s')",
                           f"JSON_SET(JSON_REMOVE(j, '$.b[0]'), '$.new', {value})"))
        return [f"UPDATE docs SET j = {change}{', j2 = JSON_REMOVE(j2, ' + chr(39) + '$.b' + chr(39) + ')' if r.random() < 0.3 else ''}"
                f"{self.where(r, t)}"]

    def join(self, r):
        """A statement that changes two tables."""
        a, b = r.sample([t for t in self.tabs.values() if t.kind not in ("xa", "myisam", "family")], 2)
        on = f"{ident(a.name)} x JOIN {ident(b.name)} y ON x.n = y.n"
        limit = f" WHERE x.n = {r.randrange(8)}"
        if r.random() < 0.7:
            sql = f"UPDATE {on} SET {self.assign(r, a, 'x.')}, {self.assign(r, b, 'y.')}{limit}"
        else:
            sql = f"DELETE x, y FROM {on}{limit} AND y.n < 3"
        return "multi", [sql], {a.name, b.name}

    # --- transactions -------------------------------------------------------------------------------

    def usable(self):
        return [t for t in self.tabs.values() if t.kind not in ("xa", "myisam")]

    def some(self, s, touched, most=4):
        for _ in range(s.rng.randint(1, most)):
            with self.lock:
                if "multi" in self.classes and s.rng.random() < 0.12:
                    what, statements, tables = self.join(s.rng)
                else:
                    what, statements, tables = self.change(s.rng, s.rng.choice(self.usable()))
            touched |= tables
            for sql in statements:
                s.try_run(sql, what)

    def transaction(self, s, writer=0):
        """One transaction with its number; None when it was rolled back."""
        r, touched = s.rng, {"commits"}
        first = r.random() < 0.3
        number = self.n + 1
        mine = f"UPDATE commits SET n = {'n + 1' if self.writers > 1 else number} WHERE id = {writer}"
        try:
            s.c.query("START TRANSACTION")
            if self.trace is not None:
                self.trace.append("START TRANSACTION")
            if first and not s.try_run(mine, "commits"):
                raise Locked(0)
            self.some(s, touched)
            if "savepoint" in self.classes and r.random() < 0.2:
                s.try_run("SAVEPOINT one", "savepoint")
                self.some(s, touched, 2)
                if r.random() < 0.6:
                    s.try_run("ROLLBACK TO one", "savepoint")
                    self.some(s, touched, 2)
            if not first and not s.try_run(mine, "commits"):
                raise Locked(0)
            if "rollback" in self.classes and r.random() < 0.1:
                s.try_run("ROLLBACK", "rollback")
                return None
            s.try_run("COMMIT", "commit")
        except Locked as e:
            self.refused["transaction", e.args[0]] += 1
            s.c.query("ROLLBACK")
            return None
        if self.writers == 1:
            self.n = number
        return touched

    def xa(self, s):
        """Prepares one, or decides about one that was prepared before, perhaps on another connection."""
        r = s.rng
        if self.prepared and (len(self.prepared) > 2 or r.random() < 0.5):
            xid, c, touched = self.prepared.pop(r.randrange(len(self.prepared)))
            how = "COMMIT" if r.random() < 0.7 else "ROLLBACK"
            other = r.random() < 0.5
            if other:
                c.close()  # MariaDB lets others decide once the session has gone
                c = Connection(self, r)
            self.decide(c, how, xid)
            c.close()
            self.done["xa " + how.lower()] += 1
            return touched
        c = Connection(self, r)
        c.c.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")  # no gaps locked that others need
        xid = f"'{self.database}-{self.fresh('x')}'"
        keyed, bare = self.tabs["xa_keyed"], self.tabs["xa_keyless"]
        low = 100 * self.named
        keyed.field("id").special = bare.field("id").special = [str(low + i) for i in range(9)]
        c.try_run(f"XA START {xid}", "xa")
        for t in r.choice(((keyed,), (bare,), (keyed, bare))):
            c.try_run(self.insert(r, t, 2), "xa")
            if t is keyed:
                c.try_run(f"UPDATE xa_keyed SET n = 5 WHERE id = {low + 3}", "xa")
        c.try_run(f"XA END {xid}", "xa")
        if r.random() < 0.2:
            c.try_run(f"XA COMMIT {xid} ONE PHASE", "xa")
            c.close()
            return {"xa_keyed", "xa_keyless"}
        c.try_run(f"XA PREPARE {xid}", "xa")
        self.prepared.append((xid, c, {"xa_keyed", "xa_keyless"}))
        return set()

    def decide(self, c, how, xid):
        """A session that has just gone may still hold its transaction for a moment."""
        for attempt in range(200):
            try:
                c.c.query(f"XA {how} {xid}")
                if self.trace is not None:
                    self.trace.append(f"XA {how} {xid}")
                return
            except pymysql.MySQLError as e:
                if e.args[0] == 1402:  # MariaDB: nothing was changed, so there is nothing to decide
                    return
                if e.args[0] != 1397 or attempt == 199:
                    raise
                threading.Event().wait(0.01)

    def step(self):
        """The next thing, by the first writer: what it committed is recorded."""
        from support import log_ddl

        r, s = self.rng, self.main
        dice = r.random()
        if dice < 0.08:
            s.settings()
            return
        if dice < 0.16 and (ways := sorted(self.classes & DDL)):
            touched = log_ddl.change(self, s, r.choice(ways))
        elif dice < 0.22 and "xa" in self.classes and self.writers == 1:
            touched = self.xa(s)
        elif dice < 0.26 and "loose" in self.classes:
            what, statements, touched = self.change(r, r.choice([t for t in self.tabs.values() if t.kind != "xa"]))
            statements = statements[:1] if what != "swap" else []
            for sql in statements:
                s.try_run(sql, what)
        else:
            touched = self.transaction(s)
        for name in sorted(touched or ()):
            self.look_at(name)
        if touched:
            self.keep()

    def write(self, index, stop):
        """What another writer does until it is told to stop; for a thread of its own."""
        s = Connection(self, random.Random(f"{self.seed} writer {index}"))
        try:
            while not stop.is_set():
                if s.rng.random() < 0.1:
                    s.settings()
                self.transaction(s, index)
                stop.wait(0.02)
        finally:
            s.close()

    # --- what the tables hold ---------------------------------------------------------------------

    def look_at(self, name):
        if not self.record:
            return
        found = self.source.table(self.database, name)
        if found.columns:
            self.now[name] = Recorded(found, list(self.source.values(found)))
        else:
            self.now.pop(name, None)

    def keep(self):
        if self.record:
            self.states.setdefault(self.n, []).append(dict(self.now))

    def settle(self):
        """Nothing is left undecided."""
        while self.prepared:
            xid, c, touched = self.prepared.pop()
            self.decide(c, "COMMIT", xid)
            c.close()
            for name in sorted(touched):
                self.look_at(name)
            self.keep()

    def finish(self):
        """Nothing is left undecided, and the last state is read from the server."""
        self.settle()
        self.record = True
        for name in self.selected:
            self.look_at(name)
        self.keep()

    def close(self):
        for xid, c, _ in self.prepared:
            self.decide(c, "ROLLBACK", xid)
            c.close()
        self.prepared = []
        if self.main and "metadata" in self.classes:
            self.main.c.query("SET GLOBAL binlog_row_metadata=FULL")
        if self.main and "compressed_log" in self.classes and self.features.mariadb:
            self.main.c.query("SET GLOBAL log_bin_compress=0")
        for c in (self.main, self.source):
            if c:
                c.close()

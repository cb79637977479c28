"""Random schema changes for log_workload: one function per class, each gives (statements, done) or None when the class
has nothing to change now. `done` brings the model of the tables up to date once the statements were accepted."""
import copy

from support.gen_types import ident

ALGORITHMS = ["", "", "", ", ALGORITHM=COPY", ", ALGORITHM=INPLACE"]


def change(w, s, kind):
    """Makes one change of this class; the names of the tables that may be different now. Each statement is a commit of
    its own, so what stands between the statements is recorded too."""
    r = s.rng
    s.plain()
    with w.lock:  # not while the statements wait for other writers
        table = target(w, r, kind)
        made = table and globals()[kind](w, r, table)
    if not made:
        return set()
    statements, done = made
    names = {table.name}
    for i, sql in enumerate(statements):
        if not s.try_run(sql, kind):
            break
        w.done[kind] -= 1  # counted once, below
        if i + 1 < len(statements):
            w.look_at(table.name)
            w.keep()
    else:
        w.done[kind] += 1
        if done:
            with w.lock:
                done()
    return names


def target(w, r, kind):
    tabs = [t for t in w.tabs.values() if t.kind not in ("xa", "family", "myisam")]
    if kind in ("widen", "narrow", "labels_append", "labels_reorder"):
        return w.tabs.get("shifts")
    if kind in ("partitions", "exchange"):
        return w.tabs.get("parts")
    if kind == "charset":
        tabs = [t for t in tabs if t.name in ("k_text", "k_pair", "bare")]
    if kind == "rekey":
        tabs = [t for t in tabs if t.key and t.kind == "int"]
    if kind in ("drop_create", "swap_in", "rename_table"):
        tabs = [t for t in tabs if t.kind != "part"]
    if kind == "rename_table" and w.away:
        return w.away[sorted(w.away)[0]]
    return r.choice(tabs) if tabs else None


def alter(t, what):
    return f"ALTER TABLE {ident(t.name)} {what}"


def place(r, t):
    return r.choice(("", "", " FIRST", f" AFTER {ident(r.choice(t.fields).name)}"))


def add(w, r, t, rest):
    field = w.column()
    return [alter(t, f"ADD COLUMN {ident(field.name)} {field.ddl}{rest}{place(r, t)}")], lambda: t.fields.append(field)


def add_null(w, r, t):
    return add(w, r, t, "")


def added(w, r, t, ddl, values, null):
    from support.log_workload import Field

    field = Field(w.fresh(), ddl, values, null=null)
    return [alter(t, f"ADD COLUMN {ident(field.name)} {ddl}{'' if null else ' NOT NULL'}{place(r, t)}")], lambda: t.fields.append(field)


def add_default(w, r, t):
    ddl, values = r.choice((("INT DEFAULT 7", ["1", "2"]), ("VARCHAR(10) DEFAULT 'abc'", ["'x'", "''"]),
                            ("DATETIME DEFAULT CURRENT_TIMESTAMP", ["'2024-01-01'"])))
    return added(w, r, t, ddl, values, True)


def add_not_null(w, r, t):
    ddl, values = r.choice((("INT", ["1", "2"]), ("VARCHAR(10)", ["'x'", "''"]), ("DECIMAL(5,2) DEFAULT 1.5", ["3.25"]),
                            ("DATETIME DEFAULT '2020-01-01'", ["'2024-01-01'"])))
    return added(w, r, t, ddl, values, False)


def drop_column(w, r, t):
    fields = [f for f in t.loose() if not f.wider and not f.labels]
    if len(fields) < 2:
        return None
    field = r.choice(fields)
    return [alter(t, f"DROP COLUMN {ident(field.name)}")], lambda: t.fields.remove(field)


def rename_column(w, r, t):
    fields = t.loose()
    if not fields:
        return None
    field, name = r.choice(fields), w.fresh("r")

    def done():
        field.name = name

    return [alter(t, f"RENAME COLUMN {ident(field.name)} TO {ident(name)}")], done


def resize(r, t, step):
    fields = [f for f in t.fields if f.wider and 0 <= f.wider.index(f.ddl) + step < len(f.wider)]
    if not fields:
        return None
    field = r.choice(fields)
    ddl = field.wider[field.wider.index(field.ddl) + step]

    def done():
        field.ddl = ddl

    return [alter(t, f"MODIFY COLUMN {ident(field.name)} {ddl}{r.choice(('', '', place(r, t)))}")], done


def widen(w, r, t):
    return resize(r, t, 1)


def narrow(w, r, t):
    return resize(r, t, -1)


def relabel(t, labels):
    field = next((f for f in t.fields if f.labels), None)
    if not field:
        return None

    def done():
        field.labels, field.special = labels, [str(i) for i in range(len(labels) + 1)]
        field.ddl = ddl

    ddl = "ENUM(" + ", ".join(f"'{n}'" for n in labels) + ")"
    return [alter(t, f"MODIFY COLUMN {ident(field.name)} {ddl}")], done


def labels_of(t):
    return next((list(f.labels) for f in t.fields if f.labels), [])


def labels_append(w, r, t):
    return relabel(t, labels_of(t) + [w.fresh("label")])


def labels_reorder(w, r, t):
    labels = labels_of(t)
    r.shuffle(labels)
    return relabel(t, labels)


def nullability(w, r, t):
    field = t.field("n")
    to = not field.null

    def done():
        field.null = to

    first = [] if to else [f"UPDATE {ident(t.name)} SET n = 0 WHERE n IS NULL"]
    return [*first, alter(t, f"MODIFY COLUMN n INT {'NULL' if to else 'NOT NULL'}")], done


def index(w, r, t):
    name = w.fresh("i")
    return [alter(t, f"ADD INDEX {name} (n)"), r.choice((f"DROP INDEX {name} ON {ident(t.name)}", "DO 0"))], None


def comment(w, r, t):
    return [alter(t, r.choice(("COMMENT = 'it''s said'", "ALTER COLUMN n SET DEFAULT 3", "COMMENT = 'a, b), (c', ALTER COLUMN n DROP DEFAULT")))], None


def rebuild(w, r, t):
    return [r.choice((alter(t, "ENGINE=InnoDB"), alter(t, "FORCE"), f"OPTIMIZE TABLE {ident(t.name)}", f"ANALYZE TABLE {ident(t.name)}"))], None


def rename_table(w, r, t):
    """Away; and back at the next time."""
    there = ident(t.name + "_away")
    if t.name in w.away:
        return [f"RENAME TABLE {there} TO {ident(t.name)}"], lambda: w.tabs.update({t.name: w.away.pop(t.name)})
    return [f"RENAME TABLE {ident(t.name)} TO {there}"], lambda: w.away.update({t.name: w.tabs.pop(t.name)})


def truncate(w, r, t):
    return [f"TRUNCATE TABLE {ident(t.name)}"], None


def drop_create(w, r, t):
    new = copy.copy(t)
    fixed = [f for f in t.fields if f.fixed or f.computed or f.name in t.key or f.wider or f.labels]
    new.fields = [*fixed, *w.columns(r.randint(1, 3))]
    if r.random() < 0.3:
        return [new.create(t.name).replace("CREATE TABLE", "CREATE OR REPLACE TABLE", 1)] if w.features.mariadb else [
            f"DROP TABLE {ident(t.name)}", new.create()], lambda: w.tabs.update({t.name: new})
    return [f"DROP TABLE {ident(t.name)}", new.create()], lambda: w.tabs.update({t.name: new})


def swap_in(w, r, t):
    """As tools for online schema changes end: a filled copy takes the table's name."""
    shadow, old = w.fresh("shadow"), w.fresh("old")
    field = w.column()
    names = ", ".join(ident(f.name) for f in t.written())
    return [f"CREATE TABLE {shadow} LIKE {ident(t.name)}", f"ALTER TABLE {shadow} ADD COLUMN {ident(field.name)} {field.ddl}",
            f"INSERT INTO {shadow} ({names}) SELECT {names} FROM {ident(t.name)}",
            f"RENAME TABLE {ident(t.name)} TO {old}, {shadow} TO {ident(t.name)}", f"DROP TABLE {old}"], lambda: t.fields.append(field)


def rekey(w, r, t):
    """Another key: one column more, and back."""
    first = t.key[:1]
    key = first if len(t.key) > 1 else [*first, "n"]
    what = "PRIMARY KEY" if not t.unique else f"INDEX {ident(t.key[0])}"
    new = ("PRIMARY KEY" if not t.unique else "UNIQUE KEY") + f" ({', '.join(map(ident, key))})"

    def done():
        t.field("n").null = len(key) == 1 and t.field("n").null
        t.key = key

    first = [f"UPDATE {ident(t.name)} SET n = 0 WHERE n IS NULL", alter(t, "MODIFY COLUMN n INT NOT NULL")] if len(key) > 1 else []
    return [*first, alter(t, f"DROP {what}, ADD {new}")], done


def partitions(w, r, t):
    way = r.choice(("add", "drop", "truncate", "reorganize"))
    if way == "add":
        bound = 300 + 100 * (w.named + 2)
        return [alter(t, f"ADD PARTITION (PARTITION {w.fresh('p')} VALUES LESS THAN ({bound}))")], None
    if way == "reorganize":
        a, b = w.fresh("p"), w.fresh("p")
        return [alter(t, f"REORGANIZE PARTITION p1 INTO (PARTITION {a} VALUES LESS THAN (150), PARTITION {b} VALUES LESS THAN (200))"),
                alter(t, f"REORGANIZE PARTITION {a}, {b} INTO (PARTITION p1 VALUES LESS THAN (200))")], None
    if way == "truncate":
        return [alter(t, f"TRUNCATE PARTITION {r.choice(('p0', 'p1'))}")], None
    # Dropped, its rows are gone; its range goes to the next one.
    return [alter(t, "DROP PARTITION p0"),
            alter(t, "REORGANIZE PARTITION p1 INTO (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200))")], None


def exchange(w, r, t):
    """The rows of a partition change places with those of another table, of which the log says nothing."""
    other = w.fresh("other")
    rows = ", ".join(f"({i}, {r.randrange(8)})" for i in r.sample(range(100, 200), 5))
    return [f"CREATE TABLE {other} LIKE {ident(t.name)}", f"ALTER TABLE {other} REMOVE PARTITIONING",
            f"INSERT INTO {other} (id, n) VALUES {rows}", alter(t, f"EXCHANGE PARTITION p1 WITH TABLE {other}"),
            f"DROP TABLE {other}"], None


def charset(w, r, t):
    now = "latin1" if "utf8mb4" in t.suffix else "utf8mb4"
    new = f"CHARACTER SET {now}"

    def done():
        t.suffix = new

    return [alter(t, f"CONVERT TO {new}")], done

"""Key-based streams: a whole copy, then reads of what is new by a key, merged; sweeps, bookmarks, parts of a run."""
import collections
import json
import time

import pytest

from support import exits
from support.program import wait_until

KEY = ["--method=key", "--key=k"]
TINY = ["--page-bytes=4KiB", "--epoch-bytes=1KiB", "--epoch-age=100ms"]  # a read of many pages and epochs
NOT_PROVED = "nothing proves the order of this replication key"


def url(server, *databases):
    """As a user who may see open transactions."""
    return server.url(*databases, user="app")


def counted(result, code=exits.OK):
    """The report of a run: table -> its counts, from sync and run with --json; its log in .err."""
    result.expect(code)
    return {s["table"]: s for s in result.json["streams"]}


def run(tailrace, *args, code=exits.OK):
    return counted(tailrace.run("run", "x", "--json", *args), code)


def sync(tailrace, where, *args, code=exits.OK):
    return counted(tailrace.sync(where, "--json", *args), code)


def brief(stream):
    return tuple(stream[c] for c in ("read", "applied", "known"))


def applied(stream):
    """So many were written; the others of those read were known."""
    assert stream["read"] == stream["applied"] + stream["known"], stream
    return stream["applied"]


def state(tailrace, table):
    return next(s for s in tailrace.run("state", "x", "--json").expect(exits.OK).json if s["table"] == table)


def stamps(tailrace, *tables):
    """What a rewritten row would not keep."""
    with tailrace.opened() as copy:
        return {t: sorted(copy.rows("SELECT _sdc_sequence, epoch_us(_sdc_batched_at), epoch_us(_sdc_extracted_at), _sdc_table_version, "
                                    f"epoch_us(_sdc_deleted_at) FROM x.{t}"), key=str) for t in tables}


def nothing_new(tailrace, *tables):
    """A run without changes reads some rows and knows them all; none is written again."""
    before = stamps(tailrace, *tables)
    counts = run(tailrace)
    for t in tables:
        assert (counts[t]["applied"], counts[t]["superseded"], counts[t]["waiting"]) == (0, 0, 0), counts[t]
        assert counts[t]["read"] == counts[t]["known"], counts[t]
    assert stamps(tailrace, *tables) == before
    return counts


def versions(tailrace, *tables):
    return {t: state(tailrace, t)["version"] for t in tables}


# Type, four keys in their order, one later than they.
TYPES = {
    "small": ("SMALLINT", "-3", "0", "5", "30000", "32767"),
    "nat": ("INT UNSIGNED", "0", "1", "5", "4294967000", "4294967295"),
    "whole": ("INT", "-2147483648", "0", "9", "10", "2147483647"),
    "big": ("BIGINT", "-9", "9", "10", "100", "9223372036854775807"),
    "bignat": ("BIGINT UNSIGNED", "1", "99", "100", "9223372036854775808", "18446744073709551615"),
    "day": ("DATE", "'1000-01-01'", "'2023-12-31'", "'2024-01-01'", "'2024-02-29'", "'2024-03-01'"),
    "dt": ("DATETIME", "'1000-01-01'", "'2024-01-01 00:00:00'", "'2024-01-01 10:00:00'", "'2024-01-02'", "'2024-01-02 00:00:01'"),
    "dt6": ("DATETIME(6)", "'1999-12-31 23:59:59.999999'", "'2024-01-01 00:00:00.5'", "'2024-01-01 00:00:00.500001'",
            "'2024-01-02 01:02:03.000009'", "'2024-01-02 01:02:03.00001'"),
    "ts": ("TIMESTAMP", "'1970-01-02 00:00:01'", "'2024-01-01 00:00:00'", "'2024-01-01 10:00:00'", "'2024-01-02'", "'2024-01-02 00:00:01'"),
    "ts6": ("TIMESTAMP(6)", "'1999-12-31 23:59:59.999999'", "'2024-01-01 00:00:00.5'", "'2024-01-01 00:00:00.500001'",
            "'2024-01-02 01:02:03.000009'", "'2024-01-02 01:02:03.00001'"),
}


def test_every_type_of_key_with_and_without_an_index(newest_server, make_database, tailrace):
    server, database = newest_server, make_database(newest_server)
    later = []
    for name, (kind, a, b, c, d, e) in TYPES.items():
        for suffix, more in (("", ""), ("_i", ", KEY (k)")):
            t = f"{database}.{name}{suffix}"
            server.run(f"CREATE TABLE {t} (id INT NOT NULL PRIMARY KEY, k {kind} NULL, v VARCHAR(20){more})",
                       f"INSERT INTO {t} VALUES (1, {a}, 'a'), (2, {b}, 'b'), (3, {c}, 'c'), (4, {c}, NULL), (5, NULL, 'none')")
            # the greatest key is there again, an old row gets a new key, a NULL gets one, one comes below: not to be seen
            later += [f"INSERT INTO {t} VALUES (6, {c}, 'tie'), (7, {d}, 'new')",
                      f"UPDATE {t} SET v = 'B', k = {d} WHERE id = 2", f"UPDATE {t} SET k = {e} WHERE id = 5"]
    tables = [n + s for n in TYPES for s in ("", "_i")]
    first = sync(tailrace, url(server, database), *KEY, "--look-back=0", "--look-back-units=0")
    assert {brief(first[t]) for t in tables} == {(5, 5, 0)}
    assert {first[t]["method"] for t in tables} == {"key"}
    tailrace.exact(server, database, way="key")
    server.run(*later)
    before = stamps(tailrace, *tables)
    second = run(tailrace)
    assert {t: applied(second[t]) for t in tables} == {t: 4 for t in tables}
    # How many are read of those that are there depends, for times, on what else is open on the server.
    assert {brief(second[t]) for t in tables if TYPES[t.removesuffix("_i")][0].endswith(("INT", "UNSIGNED"))} == {(6, 4, 2)}
    tailrace.exact(server, database, way="key")
    after = stamps(tailrace, *tables)
    for t in tables:
        kept = collections.Counter(before[t]) & collections.Counter(after[t])
        assert kept.total() == 3, f"rows that did not change were written again: {t}"
        assert state(tailrace, t)["version"] == 1
    nothing_new(tailrace, *tables)
    tailrace.exact(server, database, way="key")


def test_keys_of_tables_of_every_form(newest_server, make_database, tailrace):
    server, database = newest_server, make_database(newest_server)
    d = database
    server.run(
        f"CREATE TABLE {d}.pair (a INT NOT NULL, b VARCHAR(10) NOT NULL, k INT, v TEXT, PRIMARY KEY (b, a))",
        f"INSERT INTO {d}.pair VALUES (1, 'x', 1, 'p'), (2, 'x', 1, 'p'), (1, 'y', 2, 'p')",
        f"CREATE TABLE {d}.cased (name VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, k INT, v INT)",
        f"INSERT INTO {d}.cased VALUES ('Anna', 1, 1), ('bob', 2, 2), ('ÉMILE', 2, 3), ('z ', 3, 4)",
        f"CREATE TABLE {d}.exactly (name VARBINARY(20) NOT NULL PRIMARY KEY, k INT, v INT)",
        f"INSERT INTO {d}.exactly VALUES ('Anna', 1, 1), ('anna', 2, 2), ('', 3, 3)",
        f"CREATE TABLE {d}.uniq (u BIGINT UNSIGNED NOT NULL, k INT, v INT, UNIQUE (u))",
        f"INSERT INTO {d}.uniq VALUES (18446744073709551615, 1, 1), (0, 2, 2)",
        f"CREATE TABLE {d}.itself (k INT NOT NULL PRIMARY KEY AUTO_INCREMENT, v DOUBLE)",
        f"INSERT INTO {d}.itself (v) VALUES (1), (0.0), (-0.0), (NULL)",
        f"CREATE TABLE {d}.none (k INT, v VARCHAR(10))",
        f"INSERT INTO {d}.none VALUES (1, 'a'), (1, 'a'), (2, 'b'), (2, 'b'), (NULL, 'n'), (NULL, 'n'), (2, NULL)",
        f"CREATE TABLE {d}.part (name TEXT NOT NULL, k INT, v INT, PRIMARY KEY (name(3)))",
        f"INSERT INTO {d}.part VALUES ('aaa1', 1, 1), ('bbb1', 2, 2)",
        f"CREATE TABLE {d}.rowid_ (id INT NOT NULL PRIMARY KEY, k INT, rowid INT, _sdc_sequence INT)",
        f"INSERT INTO {d}.rowid_ VALUES (1, 1, 5, 6), (2, 1, 5, 6)",
        f"CREATE TABLE {d}.nothing (id INT NOT NULL PRIMARY KEY, k INT)")
    tables = ["pair", "cased", "exactly", "uniq", "itself", "none", "part", "rowid_", "nothing"]
    sync(tailrace, url(server, d), *KEY, "--look-back-units=0")
    tailrace.exact(server, d, way="key")
    nothing_new(tailrace, *tables)
    server.run(
        f"INSERT INTO {d}.pair VALUES (1, 'z', 3, 'q')", f"UPDATE {d}.pair SET k = 4, v = 'Q' WHERE a = 1 AND b = 'x'",
        f"INSERT INTO {d}.cased VALUES ('Carl', 4, 5)", f"UPDATE {d}.cased SET v = 20, k = 5 WHERE name = 'BOB'",
        f"INSERT INTO {d}.exactly VALUES ('ANNA', 4, 4)", f"UPDATE {d}.exactly SET v = 30, k = 5 WHERE name = 'anna'",
        f"INSERT INTO {d}.uniq VALUES (1, 3, 3)", f"UPDATE {d}.uniq SET v = 9, k = 4 WHERE u > 5",
        f"INSERT INTO {d}.itself (v) VALUES (7)", f"INSERT INTO {d}.none VALUES (2, 'b'), (3, 'c'), (3, 'c'), (2, NULL)",
        f"INSERT INTO {d}.part VALUES ('ccc1', 3, 3)", f"INSERT INTO {d}.rowid_ VALUES (3, 3, 5, 6)",
        f"UPDATE {d}.rowid_ SET rowid = 7, k = 3 WHERE id = 1",
        f"INSERT INTO {d}.nothing VALUES (1, NULL), (2, 1)")
    counts = run(tailrace)
    assert {t: counts[t]["applied"] for t in tables} == {
        "pair": 2, "cased": 2, "exactly": 2, "uniq": 2, "itself": 1, "none": 4, "part": 1, "rowid_": 2, "nothing": 1}
    # a row whose key is NULL is read in the first run alone
    server.run(f"DELETE FROM {d}.nothing WHERE id = 1")
    tailrace.exact(server, d, way="key")
    nothing_new(tailrace, *tables)
    tailrace.exact(server, d, way="key")


def test_a_read_of_many_pages_and_epochs_with_ties_of_the_key(either_server, make_database, tailrace, fill):
    server, database = either_server, make_database(either_server)
    d = database
    fill(server, d, "seed", 1200, 100)
    for t, key in (("ties", "PRIMARY KEY (id)"), ("pairs", "PRIMARY KEY (v, id)"), ("indexed", "PRIMARY KEY (id), KEY (k)"),
                   ("keyless", "KEY (k)")):
        server.run(f"CREATE TABLE {d}.{t} (k INT, id INT NOT NULL, v VARCHAR(100) NOT NULL, {key})",
                   f"INSERT INTO {d}.{t} SELECT id DIV 100, id, v FROM {d}.seed WHERE id <= 400")
    tables = ["ties", "pairs", "indexed", "keyless"]
    more = [*KEY, *TINY, "--look-back-units=0", "--exclude=seed"]
    sync(tailrace, url(server, d), *more)
    tailrace.exact(server, d, tables=tables, way="key")
    for t in tables:  # hundreds of rows of each key, in no order of the table's own
        server.run(f"INSERT INTO {d}.{t} SELECT 5 + id % 3, id, v FROM {d}.seed WHERE id > 400")
    for t in ("ties", "pairs", "indexed"):
        server.run(f"UPDATE {d}.{t} SET k = 6 WHERE id <= 100")
    counts = run(tailrace)
    assert {t: brief(counts[t]) for t in tables} == {"ties": (901, 900, 1), "pairs": (901, 900, 1), "indexed": (901, 900, 1),
                                                    "keyless": (801, 800, 1)}
    tailrace.exact(server, d, tables=tables, way="key")
    with tailrace.opened() as copy:
        for t in tables:
            assert copy.rows(f"SELECT count(*) - count(DISTINCT _sdc_sequence) FROM x.{t} WHERE k >= 5") == [(0,)]
    nothing_new(tailrace, *tables)


def started_delta(tailrace, *args):
    p = tailrace.start("run", "x", "--json", *args)

    def in_the_middle():
        assert p.poll() is None, str(tailrace.finish(p))
        return [e for e in (tailrace.data / "spool" / "x").rglob("*.open")]
    wait_until(in_the_middle)
    time.sleep(0.7)
    return p


def test_stopped_in_the_middle_of_a_read_it_goes_on(either_server, make_database, tailrace, fill):
    server, database = either_server, make_database(either_server)
    fill(server, database, "seed", 6000)
    server.run(f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, k INT, v VARCHAR(200), KEY (k))",
               f"INSERT INTO {database}.t SELECT id, 1, v FROM {database}.seed WHERE id <= 10",
               f"CREATE TABLE {database}.log_ (k INT, v VARCHAR(200), KEY (k))",
               f"INSERT INTO {database}.log_ SELECT 1, v FROM {database}.seed WHERE id <= 10")
    sync(tailrace, url(server, database), *KEY, "--exclude=seed", "--page-bytes=16KiB", "--epoch-bytes=16KiB", "--source-rate=400kB",
         "--look-back-units=0", "--source-connections=1", "--load=mirror")
    before = state(tailrace, "t")
    assert before["under_way"] == "at rest"
    server.run(f"INSERT INTO {database}.t SELECT id, id DIV 1000 + 2, v FROM {database}.seed WHERE id > 10")
    p = started_delta(tailrace)
    assert tailrace.rows("SELECT count(*) FROM x.t") == [(10,)]  # readers see whole reads only
    tailrace.run("stop", "x").expect(exits.OK)
    stopped = tailrace.finish(p).expect(exits.STOPPED)
    half = {s["table"]: s for s in stopped.json["streams"]}["t"]
    assert 0 < half["read"] < 5990
    shown = state(tailrace, "t")
    assert (shown["under_way"], shown["next_start"], shown["version"]) == ("reading by key", before["next_start"], before["version"])
    assert "reading by key" in tailrace.run("state", "x").out
    assert tailrace.rows("SELECT count(*) FROM x.t") == [(10,)]
    # What comes meanwhile is of the next read; a row that was read already changes and is found there, too.
    server.run(f"INSERT INTO {database}.t VALUES (9001, 50, 'late')", f"UPDATE {database}.t SET v = 'again', k = 51 WHERE id = 500")
    counts = run(tailrace)
    assert counts["t"]["read"] < 5995 - half["read"] + 500, "it did not go on: all was read again"
    assert state(tailrace, "t")["under_way"] == "at rest"
    run(tailrace)
    tailrace.exact(server, database, tables={"t", "log_"}, way="key")
    nothing_new(tailrace, "t", "log_")


# --- what a read finds ------------------------------------------------------------------------------------------


def test_a_row_that_commits_late_is_found(newest_server, make_database, tailrace):
    server, d = newest_server, make_database(newest_server)
    kinds = {"ai": "BIGINT NOT NULL AUTO_INCREMENT", "ts": "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
             "ts6": "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)", "dt6": "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"}
    for t, kind in kinds.items():
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k {kind}, v INT, KEY (k))",
                   f"INSERT INTO {d}.{t} (id, v) VALUES (1, 1)")
    log = tailrace.sync(url(server, d), "--json", *KEY).expect(exits.OK).err
    assert NOT_PROVED not in log
    late = server.connect()
    try:
        late.begin()
        with late.cursor() as cursor:
            for t in kinds:
                cursor.execute(f"INSERT INTO {d}.{t} (id, v) VALUES (2, 2)")
        time.sleep(1.1)
        server.run(*(f"INSERT INTO {d}.{t} (id, v) VALUES (3, 3)" for t in kinds))
        counts = run(tailrace)
        assert {counts[t]["applied"] for t in kinds} == {1}
        late.commit()
    finally:
        late.close()
    counts = run(tailrace)
    assert {t: counts[t]["applied"] for t in kinds} == {t: 1 for t in kinds}
    tailrace.exact(server, d, way="key")
    nothing_new(tailrace, *kinds)


def test_how_far_back_is_read_and_that_the_log_says_so(newest_server, make_database, tailrace):
    server, d = newest_server, make_database(newest_server)
    server.run(
        f"CREATE TABLE {d}.set_by_client (id INT NOT NULL PRIMARY KEY, k DATETIME)",
        f"INSERT INTO {d}.set_by_client VALUES (1, '2024-01-01 12:00:00')",
        f"CREATE TABLE {d}.numbered (id INT NOT NULL PRIMARY KEY, k INT NOT NULL AUTO_INCREMENT UNIQUE)",
        f"INSERT INTO {d}.numbered VALUES (1, 100)",
        f"CREATE TABLE {d}.chosen (id INT NOT NULL PRIMARY KEY, k INT)", f"INSERT INTO {d}.chosen VALUES (1, 5000)",
        f"CREATE TABLE {d}.plain (id INT NOT NULL PRIMARY KEY, k DATETIME)",
        f"INSERT INTO {d}.plain VALUES (1, '2024-01-01 12:00:00')")
    sync(tailrace, url(server, d), *KEY)
    tailrace.run("select", "x", "set_by_client", "--look-back=1h").expect(exits.OK)
    tailrace.run("select", "x", "numbered", "--look-back-units=10").expect(exits.OK)
    early = [
        f"INSERT INTO {d}.set_by_client VALUES (2, '2024-01-01 11:00:00'), (3, '2024-01-01 10:59:59')",
        f"INSERT INTO {d}.numbered VALUES (2, 90), (3, 89)",
        f"INSERT INTO {d}.chosen VALUES (2, 4000), (3, 3999)",  # not AUTO_INCREMENT: 1000 units
        f"INSERT INTO {d}.plain VALUES (3, '2024-01-01 12:00:00')"]
    server.run(*early)
    result = tailrace.run("run", "x", "--json")
    counts = counted(result)
    said = [line for line in result.err.splitlines() if NOT_PROVED in line]
    assert len(said) == 1 and "chosen" in said[0] and "AUTO_INCREMENT" in said[0], result.err
    assert {t: counts[t]["applied"] for t in counts} == {"set_by_client": 1, "numbered": 1, "chosen": 1, "plain": 1}
    found = {t: [r[0] for r in tailrace.rows(f"SELECT id FROM x.{t} ORDER BY 1")] for t in counts}
    assert found == {"set_by_client": [1, 2], "numbered": [1, 2], "chosen": [1, 2], "plain": [1, 3]}
    assert [state(tailrace, t)["by_look_back"] for t in ("plain", "chosen")] == [False, True]
    nothing_new(tailrace, *counts)


def test_a_reader_who_may_not_see_transactions_looks_back(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k TIMESTAMP NULL)",
               f"INSERT INTO {d}.t VALUES (1, '2024-01-01 12:00:00')",
               f"CREATE TABLE {d}.n (id INT NOT NULL PRIMARY KEY, k INT NOT NULL AUTO_INCREMENT UNIQUE)",
               f"INSERT INTO {d}.n VALUES (1, 5000)")
    result = tailrace.sync(server.url(d), "--json", *KEY).expect(exits.OK)
    said = [line for line in result.err.splitlines() if NOT_PROVED in line]
    assert len(said) == 2 and all("PROCESS" in line for line in said), result.err
    assert "less look_back" in tailrace.run("state", "x").out
    server.run(f"INSERT INTO {d}.t VALUES (2, '2024-01-01 11:55:00'), (3, '2024-01-01 11:54:59')",
               f"INSERT INTO {d}.n VALUES (2, 4000), (3, 3999)")
    counts = run(tailrace)
    assert brief(counts["t"]) == brief(counts["n"]) == (2, 1, 1)
    nothing_new(tailrace, "t", "n")


def test_a_time_in_the_future_hides_nothing(newest_server, make_database, tailrace):
    server, d = newest_server, make_database(newest_server)
    for t, kind, future in (("dt", "DATETIME", "2099-01-01"), ("ts", "TIMESTAMP(6)", "2037-01-01"), ("day", "DATE", "2099-01-01")):
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k {kind} NULL, v INT, KEY (k))",
                   f"INSERT INTO {d}.{t} VALUES (1, '{future}', 1), (2, '2024-01-01', 2)")
    sync(tailrace, url(server, d), *KEY)
    for i in (3, 4):
        server.run(*(f"INSERT INTO {d}.{t} VALUES ({i}, NOW(6), {i})" for t in ("dt", "ts", "day")))
        counts = run(tailrace)
        assert {counts[t]["applied"] for t in counts} == {1}
        tailrace.exact(server, d, way="key")
    server.run(f"UPDATE {d}.dt SET v = 9 WHERE id = 1", f"UPDATE {d}.ts SET k = '2037-01-02' WHERE id = 1")
    counts = run(tailrace)
    assert (counts["dt"]["applied"], counts["ts"]["applied"], counts["day"]["applied"]) == (1, 1, 0)
    tailrace.exact(server, d, way="key")


def test_filters_and_where_to_begin(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    filters = {"plain": "v > 10", "commented": "v > 10 -- it's ) (", "hashed": "v > 10 # '", "either": "v = 11 OR v = 12",
               "quoted": "v > 10 AND s <> ') OR (1=1' AND s <> \"it\\\"s (\"", "whole": "v > 10 /* ) */"}
    tables = [*filters, "begun", "begun_full"]
    for t in tables:
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k INT, v INT, s VARCHAR(20))",
                   f"INSERT INTO {d}.{t} VALUES (1, 1, 11, 'a'), (2, 2, 10, 'a'), (3, 3, 12, 'a'), (4, NULL, 12, 'a'), (5, NULL, 1, '')")
    server.run(f"CREATE TABLE {d}.other (id INT NOT NULL PRIMARY KEY)")
    tailrace.sync(url(server, d), "--tables=other").expect(exits.OK)
    for t, condition in filters.items():
        tailrace.run("select", "x", f"{d}.{t}", "--method=key", "--key=k", "--where", condition, "--look-back-units=0").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.begun", "--method=key", "--key=k", "--from=2", "--look-back-units=0").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.begun_full", "--method=full", "--where", "k >= 2 -- (").expect(exits.OK)
    counts = run(tailrace)
    assert {brief(counts[t]) for t in filters} == {(3, 3, 0)} and brief(counts["begun"]) == brief(counts["begun_full"]) == (2, 2, 0)
    for t in tables:  # 12 leaves the filter: what was copied of it stays as it was
        server.run(f"INSERT INTO {d}.{t} VALUES (6, 6, 11, 'n'), (7, 7, 9, 'n')", f"UPDATE {d}.{t} SET k = 8, v = 10 WHERE id = 4")
    counts = run(tailrace)
    assert {t: brief(counts[t]) for t in filters} == {t: (2, 1, 1) for t in filters}
    assert brief(counts["begun"]) == (4, 3, 1)
    ids = {t: [r[0] for r in tailrace.rows(f"SELECT id FROM x.{t} ORDER BY 1")] for t in tables}
    assert {tuple(ids[t]) for t in filters} == {(1, 3, 4, 6)}
    assert (ids["begun"], ids["begun_full"]) == ([2, 3, 4, 6, 7], [2, 3, 4, 6, 7])
    third = nothing_new(tailrace, *filters, "begun")
    assert {brief(third[t]) for t in filters} == {(1, 0, 1)}


def test_a_filter_that_is_none_fails_its_table_alone(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    filters = ["nothing = 1", "k = 1) OR (1 = 1", "k = 'a", "k = 1 /*", "k = 1; SELECT 1", "k =", "-- only", "/*! 1 = 1 */", "`k = 1",
               "k = 1 UNION SELECT 1", "k = 1\\", "k = ? ", "k = 1 LIMIT 1", "k = 1 INTO OUTFILE 'x'", "k = 1 FOR UPDATE"]
    bad = [f"b{i}" for i in range(len(filters))]
    for t in [*bad, "u"]:
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k INT)", f"INSERT INTO {d}.{t} VALUES (1, 1)")
    sync(tailrace, url(server, d), *KEY)
    for t, where in zip(bad, filters):
        if t in ("b0", "b1"):
            tailrace.run("select", "x", f"{d}.{t}", "--where", where).expect(exits.CONFIG)
        tailrace.run("select", "x", f"{d}.{t}", f"--where={where}", "--offline").expect(exits.OK)
    server.run(*(f"INSERT INTO {d}.{t} VALUES (2, 2)" for t in [*bad, "u"]))
    counts = run(tailrace, code=exits.PARTIAL)
    for t, where in zip(bad, filters):
        assert counts[t]["state"] in ("failed", "refused") and counts[t]["error"], (where, counts[t])
        assert tailrace.rows(f"SELECT id FROM x.{t}") == [(1,)]
    assert brief(counts["u"]) == (2, 1, 1)


# --- every version of a row ---------------------------------------------------------------------------------------


def test_append_keeps_every_version_that_was_read(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    for t in ("t", "keyless", "copies", "both"):
        key = "" if t == "keyless" else ", PRIMARY KEY (id)"
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL, k INT, v VARCHAR(20){key})" if t != "keyless" else
                   f"CREATE TABLE {d}.{t} (k INT, id INT NOT NULL, v VARCHAR(20))",
                   f"INSERT INTO {d}.{t} (id, k, v) VALUES (1, 1, 'a'), (2, 2, 'b')")
    sync(tailrace, url(server, d), *KEY, "--load=append", "--exclude=copies,both", "--look-back-units=0")
    tailrace.run("select", "x", f"{d}.copies", "--method=full", "--load=append").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.both", "--method=full", "--load=append").expect(exits.OK)
    assert brief(run(tailrace)["copies"]) == (2, 2, 0)
    server.run(*(f"UPDATE {d}.{t} SET v = 'B', k = 3 WHERE id = 2" for t in ("t", "keyless", "copies")))
    counts = run(tailrace)
    assert brief(counts["t"]) == (1, 1, 0) and brief(counts["copies"]) == (2, 2, 0)
    counts = run(tailrace)
    assert brief(counts["t"]) == (1, 0, 1) and brief(counts["keyless"]) == (1, 0, 1) and brief(counts["copies"]) == (2, 2, 0)
    assert tailrace.rows("SELECT id, v FROM x.t ORDER BY _sdc_sequence, id") == [(1, "a"), (2, "b"), (2, "B")]
    assert tailrace.rows("SELECT id, v FROM x.keyless ORDER BY id, k") == [(1, "a"), (2, "b"), (2, "B")]
    assert tailrace.rows("SELECT _sdc_table_version, list(v ORDER BY id) FROM x.copies GROUP BY 1 ORDER BY 1") == [
        (1, ["a", "b"]), (2, ["a", "B"]), (3, ["a", "B"])]
    tailrace.exact(server, d, tables={"t", "copies", "both"}, way="append")
    server.run(f"UPDATE {d}.t SET v = 'b', k = 4 WHERE id = 2")  # as it was once, but for the key: a version of its own
    assert brief(run(tailrace)["t"]) == (1, 1, 0)
    tailrace.run("reset", "x", f"{d}.t").expect(exits.OK)
    tailrace.run("reset", "x", f"{d}.copies").expect(exits.OK)
    run(tailrace)
    assert tailrace.rows("SELECT id, v FROM x.t ORDER BY id") == [(1, "a"), (2, "b")]
    assert tailrace.rows("SELECT id, v FROM x.copies ORDER BY id") == [(1, "a"), (2, "B")]
    tailrace.exact(server, d, tables={"t", "copies"}, way="append")


# --- changes ------------------------------------------------------------------------------------------------------


def test_what_a_version_is_of(either_server, make_database, tailrace):
    """Another key, method, filter or way of loading is another version, exact again; what is the same stays."""
    server, d = either_server, make_database(either_server)
    tables = ["key_", "method", "filter_", "way", "same", "tofull", "incompatible"]
    for t in tables:
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k INT, n INT)",
                   f"INSERT INTO {d}.{t} VALUES (1, 1, 5), (2, 2, 4), (3, 3, 3)")
    more = [*KEY, "--look-back-units=0"]
    sync(tailrace, url(server, d), *more)
    assert set(versions(tailrace, *tables).values()) == {1}
    for t, words in {"key_": ["--key=n"], "method": ["--method=full"], "filter_": ["--where=n > 3"], "way": ["--load=append"],
                     "tofull": ["--method=full", "--load=append"], "same": ["--sweep", "--look-back-units=1"]}.items():
        tailrace.run("select", "x", f"{d}.{t}", *words).expect(exits.OK)
    server.run(f"ALTER TABLE {d}.incompatible MODIFY n VARCHAR(10)",
               *(f"INSERT INTO {d}.{t} VALUES (4, 4, 2)" for t in tables))
    counts = run(tailrace)
    assert versions(tailrace, *tables) == {t: 1 if t == "same" else 2 for t in tables}
    assert {t: counts[t]["read"] for t in tables} == {t: 3 if t == "same" else 2 if t == "filter_" else 4 for t in tables}
    with tailrace.opened() as copy:
        # the replication key stands behind the table's own
        assert [c for c, _ in copy.columns("x", "key_")][:3] == ["id", "n", "k"]
        assert copy.rows("SELECT id FROM x.filter_ ORDER BY 1") == [(1,), (2,)]
    tailrace.exact(server, d, tables=set(tables) - {"key_", "filter_", "way", "tofull"}, way="key")
    tailrace.exact(server, d, tables={"way", "tofull"}, way="append")
    counts = nothing_new(tailrace, "key_", "filter_", "way", "same", "incompatible")
    tailrace.run("select", "x", f"{d}.method", "--unset=method").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.filter_", "--unset=where").expect(exits.OK)
    run(tailrace)
    assert versions(tailrace, "filter_", "same") == {"filter_": 3, "same": 1}
    tailrace.exact(server, d, tables={"filter_", "method"}, way="key")
    nothing_new(tailrace, "filter_", "method")


def test_columns_that_come_go_and_widen(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    tables = ["deselected", "added", "dropped", "widened", "key_widened", "appended"]
    for t in tables:
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k INT, a INT, b VARCHAR(10))",
                   f"INSERT INTO {d}.{t} VALUES (1, 1, 1, 'a'), (2, 2, 2, 'b'), (3, 3, 3, 'c')")
    sync(tailrace, url(server, d), *KEY, "--look-back-units=0")
    tailrace.run("select", "x", f"{d}.appended", "--load=append").expect(exits.OK)
    run(tailrace)
    before = versions(tailrace, *tables)
    tailrace.run("select", "x", f"{d}.deselected", "b", "--deselect").expect(exits.OK)
    server.run(f"ALTER TABLE {d}.added ADD COLUMN c DATE FIRST", f"ALTER TABLE {d}.appended ADD COLUMN c DATE",
               f"ALTER TABLE {d}.dropped DROP COLUMN b",
               f"ALTER TABLE {d}.widened MODIFY a BIGINT", f"ALTER TABLE {d}.key_widened MODIFY k BIGINT, MODIFY id BIGINT NOT NULL",
               f"UPDATE {d}.added SET k = 4, c = '2024-01-01' WHERE id = 1", f"UPDATE {d}.deselected SET k = 4, b = 'z' WHERE id = 1",
               f"UPDATE {d}.appended SET k = 4, c = '2024-01-01' WHERE id = 1",
               f"UPDATE {d}.dropped SET k = 4 WHERE id = 1", f"UPDATE {d}.widened SET k = 4, a = 1 << 40 WHERE id = 1",
               f"UPDATE {d}.key_widened SET k = 1 << 40 WHERE id = 1", f"INSERT INTO {d}.key_widened VALUES (1 << 41, 1 << 41, 9, 'n')")
    counts = run(tailrace)
    assert versions(tailrace, *tables) == before, "no new version for columns"
    # Row 3 is read again: known where nothing of it is other than before.
    seen = {t: brief(counts[t]) for t in tables}
    assert seen["widened"] == seen["added"] == seen["appended"] == (2, 1, 1) and seen["key_widened"] == (3, 2, 1)
    tailrace.exact(server, d, tables={"widened", "key_widened"}, way="key")
    with tailrace.opened() as copy:
        assert dict(copy.columns("x", "widened"))["a"] == "BIGINT" and dict(copy.columns("x", "key_widened"))["k"] == "BIGINT"
        assert copy.rows("SELECT id, a, CAST(c AS VARCHAR) FROM x.added ORDER BY 1") == [(1, 1, "2024-01-01"), (2, 2, None), (3, 3, None)]
        assert copy.rows("SELECT id, CAST(c AS VARCHAR) FROM x.appended ORDER BY _sdc_sequence, id") == [
            (1, None), (2, None), (3, None), (1, "2024-01-01")]
        for t in ("deselected", "dropped"):  # NULL in what is written, as it was in what is not
            assert copy.rows(f"SELECT b FROM x.{t} WHERE id IN (1, 2) ORDER BY id") == [(None,), ("b",)], t
    nothing_new(tailrace, *tables)
    tailrace.run("select", "x", f"{d}.deselected", "b").expect(exits.OK)
    server.run(f"INSERT INTO {d}.deselected VALUES (5, 5, 5, 'e')", f"UPDATE {d}.deselected SET k = 5 WHERE id = 1")
    run(tailrace)
    assert versions(tailrace, *tables) == before
    assert tailrace.rows("SELECT id, b FROM x.deselected ORDER BY id")[0] == (1, "z")
    assert tailrace.rows("SELECT id, b FROM x.deselected ORDER BY id")[3] == (5, "e")
    nothing_new(tailrace, *tables)


def test_views_by_declared_keys(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k INT, g INT, v INT NULL)",
               f"INSERT INTO {d}.t VALUES (1, 1, 1, 1), (2, 2, 1, NULL), (3, 3, 2, 3)",
               f"CREATE VIEW {d}.keyed AS SELECT k, id, v FROM {d}.t", f"CREATE VIEW {d}.pair AS SELECT g, k, id FROM {d}.t",
               f"CREATE VIEW {d}.keyless AS SELECT k, v FROM {d}.t", f"CREATE VIEW {d}.whole AS SELECT id, v FROM {d}.t",
               f"CREATE VIEW {d}.sums AS SELECT g, CAST(COUNT(*) AS SIGNED) AS n FROM {d}.t GROUP BY g")
    sync(tailrace, url(server, d), "--tables=t")
    by_key = ["--method=key", "--key=k", "--look-back-units=0"]
    tailrace.run("select", "x", f"{d}.keyed", "--view-key=v", "--check-key").fails(exits.CONFIG, "is none", hint=False)  # NULL
    tailrace.run("select", "x", f"{d}.pair", "--view-key=g", "--check-key").fails(exits.CONFIG, "is none", hint=False)  # twice
    tailrace.run("select", "x", f"{d}.keyed", "--view-key=id", "--check-key", *by_key).expect(exits.OK)
    tailrace.run("select", "x", f"{d}.pair", "--view-key=id,g", "--check-key", *by_key).expect(exits.OK)
    tailrace.run("select", "x", f"{d}.keyless", *by_key).expect(exits.OK)
    tailrace.run("select", "x", f"{d}.whole", "--view-key=id").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.sums").expect(exits.OK)
    result = tailrace.run("run", "x", "--json")
    assert {brief(counted(result)[t]) for t in ("keyed", "pair", "keyless", "whole")} == {(3, 3, 0)}
    assert "A view does not say how its keys come about" in result.err
    server.run(f"INSERT INTO {d}.t VALUES (4, 4, 2, 4), (5, 3, 2, 3)", f"UPDATE {d}.t SET k = 5, v = 9 WHERE id = 1")
    counts = run(tailrace)
    assert {t: brief(counts[t]) for t in ("keyed", "pair", "keyless")} == {t: (4, 3, 1) for t in ("keyed", "pair", "keyless")}
    with tailrace.opened() as copy:
        assert copy.rows("SELECT id, k, v FROM x.keyed ORDER BY 1") == [(1, 5, 9), (2, 2, None), (3, 3, 3), (4, 4, 4), (5, 3, 3)]
        assert [c for c, _ in copy.columns("x", "pair")][:3] == ["id", "g", "k"]
        assert copy.rows("SELECT id, g, k FROM x.pair ORDER BY 1") == [(1, 1, 5), (2, 1, 2), (3, 2, 3), (4, 2, 4), (5, 2, 3)]
        # without a key the changed row is added and the earlier one stays
        assert copy.rows("SELECT k, v FROM x.keyless ORDER BY ALL") == [(1, 1), (2, None), (3, 3), (3, 3), (4, 4), (5, 9)]
    tailrace.exact(server, d, tables={"sums"}, views=True)
    nothing_new(tailrace, "keyed", "pair", "keyless")
    before = versions(tailrace, "keyed", "pair")
    tailrace.run("select", "x", f"{d}.pair", "--view-key=id").expect(exits.OK)
    run(tailrace)
    assert versions(tailrace, "keyed", "pair") == {"keyed": before["keyed"], "pair": before["pair"] + 1}
    nothing_new(tailrace, "keyed", "pair")


# --- rows that are gone ---------------------------------------------------------------------------------------------


def alive(tailrace, table, columns="id"):
    return tailrace.rows(f"SELECT {columns} FROM x.{table} WHERE _sdc_deleted_at IS NULL ORDER BY ALL")


def test_a_sweep_marks_what_is_gone(newest_server, make_database, tailrace, fill):
    server, d = newest_server, make_database(newest_server)
    fill(server, d, "seed", 2000, 100)
    server.run(f"CREATE TABLE {d}.many (id INT NOT NULL PRIMARY KEY, k INT, v VARCHAR(100))",
               f"INSERT INTO {d}.many SELECT id, id, v FROM {d}.seed",
               f"CREATE TABLE {d}.pair (a INT NOT NULL, b VARCHAR(5) NOT NULL, k INT, PRIMARY KEY (b, a))",
               f"INSERT INTO {d}.pair VALUES (1, 'x', 1), (1, 'y', 1), (2, 'x', 2)",
               f"CREATE TABLE {d}.emptied (id INT NOT NULL PRIMARY KEY, k INT)", f"INSERT INTO {d}.emptied VALUES (1, 1), (2, NULL)",
               f"CREATE TABLE {d}.filtered (id INT NOT NULL PRIMARY KEY, k INT, v INT)",
               f"INSERT INTO {d}.filtered VALUES (1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 2)",
               f"CREATE TABLE {d}.cased (name VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, k INT)",
               f"INSERT INTO {d}.cased VALUES ('bob', 1), ('anna', 1), ('x', 2)",
               f"CREATE TABLE {d}.keyless (k INT)", f"INSERT INTO {d}.keyless VALUES (1), (1), (2)",
               f"CREATE TABLE {d}.unswept (id INT NOT NULL PRIMARY KEY, k INT)", f"INSERT INTO {d}.unswept VALUES (1, 1), (2, 2)",
               f"CREATE TABLE {d}.appended (id INT NOT NULL PRIMARY KEY, k INT)", f"INSERT INTO {d}.appended VALUES (1, 1), (2, 2)")
    tables = {"many", "pair", "cased", "emptied", "filtered", "appended"}
    tailrace.sync(url(server, d), "--tables=seed", *TINY).expect(exits.OK)
    for t in [*tables, "keyless", "unswept"]:
        tailrace.run("select", "x", f"{d}.{t}", "--method=key", "--key=k", "--look-back-units=0",
                     *(["--sweep"] if t != "unswept" else []), *(["--where=v = 1"] if t == "filtered" else []),
                     *(["--load=append"] if t == "appended" else [])).expect(exits.OK)
    run(tailrace)
    tailrace.exact(server, d, tables=tables - {"filtered", "appended"}, way="key")
    nothing_new(tailrace, *tables)
    server.run(f"DELETE FROM {d}.many WHERE id % 3 = 0 OR id > 1900", f"DELETE FROM {d}.pair WHERE a = 1 AND b = 'x'",
               f"DELETE FROM {d}.emptied", f"DELETE FROM {d}.filtered WHERE id = 1", f"UPDATE {d}.filtered SET v = 2 WHERE id = 2",
               f"DELETE FROM {d}.keyless WHERE k = 1 LIMIT 1", f"DELETE FROM {d}.unswept WHERE id = 1",
               # for the source the same keys, for the copy others
               f"UPDATE {d}.cased SET name = 'BOB', k = 3 WHERE k = 1 AND name = 'bob'", f"UPDATE {d}.cased SET name = 'anna ', k = 3 WHERE k = 1",
               f"DELETE FROM {d}.appended WHERE id = 1")
    result = tailrace.run("run", "x", "--json")
    counts = counted(result)
    assert all(counts[t]["applied"] == 0 for t in tables - {"cased"}) and counts["cased"]["applied"] == 2
    events = [json.loads(line) for line in result.err.splitlines()]
    gone = {e["table"]: e["rows"] for e in events if "were marked deleted" in e["text"]}
    assert gone == {"many": 733, "pair": 1, "cased": 2, "emptied": 2, "filtered": 2, "appended": 1}
    tailrace.exact(server, d, tables=tables - {"filtered", "appended"}, way="key")
    tailrace.exact(server, d, tables={"appended"}, way="append")
    assert alive(tailrace, "emptied") == [] and alive(tailrace, "filtered") == [(3,)]  # 2 left the filter
    assert alive(tailrace, "unswept") == [(1,), (2,)] and alive(tailrace, "keyless", "k") == [(1,), (1,), (2,)]
    assert tailrace.rows("SELECT id, k, v IS NOT NULL FROM x.many WHERE _sdc_deleted_at IS NOT NULL ORDER BY 1 LIMIT 1") == [(3, 3, True)]
    nothing_new(tailrace, *tables)
    # The same keys again: with their old values but for the replication key, and with others.
    server.run(f"INSERT INTO {d}.many SELECT id, id + 10000, v FROM {d}.seed WHERE id IN (3, 6)", f"INSERT INTO {d}.pair VALUES (1, 'x', 9)",
               f"INSERT INTO {d}.emptied VALUES (1, 1)", f"INSERT INTO {d}.appended VALUES (1, 9)",
               f"INSERT INTO {d}.filtered VALUES (1, 9, 1)")
    counts = run(tailrace)
    assert {t: counts[t]["applied"] for t in tables} == {"many": 2, "pair": 1, "cased": 0, "emptied": 1, "appended": 1, "filtered": 1}
    tailrace.exact(server, d, tables=tables - {"filtered", "appended"}, way="key")
    tailrace.exact(server, d, tables={"appended"}, way="append")
    assert alive(tailrace, "filtered") == [(1,), (3,)]
    nothing_new(tailrace, *tables)


def test_a_sweep_that_was_cut_off_begins_again(either_server, make_database, tailrace, fill):
    server, d = either_server, make_database(either_server)
    fill(server, d, "seed", 4000, 100)
    server.run(f"CREATE TABLE {d}.t (name VARCHAR(100) NOT NULL PRIMARY KEY, k INT)",
               f"INSERT INTO {d}.t SELECT CONCAT(LPAD(id, 5, '0'), v), id FROM {d}.seed")
    options = [*KEY, "--sweep", "--exclude=seed", "--look-back-units=0", "--page-bytes=8KiB", "--epoch-bytes=1KiB"]
    sync(tailrace, url(server, d), *options)
    server.run(f"DELETE FROM {d}.t WHERE k % 2 = 0 AND k < 4000")
    p = tailrace.start(*tailrace.sync_args(url(server, d), *options, "--source-rate=40kB"))
    # The log says when reading begins: one row, and then five seconds of keys.
    wait_until(lambda: NOT_PROVED in (tailrace.folder / f"err-{len(tailrace.started) - 1}").read_text())
    time.sleep(2)
    tailrace.run("stop", "x").expect(exits.OK)
    tailrace.finish(p).expect(exits.STOPPED)
    assert state(tailrace, "t")["under_way"] == "sweeping"
    assert tailrace.rows("SELECT count(*) FROM x.t WHERE _sdc_deleted_at IS NOT NULL") == [(0,)]
    # What was gone and has come back, and what is gone only now, in what had been swept.
    server.run(f"INSERT INTO {d}.t SELECT CONCAT(LPAD(id, 5, '0'), v), 9000 FROM {d}.seed WHERE id = 2", f"DELETE FROM {d}.t WHERE k = 1")
    sync(tailrace, url(server, d), *options)
    tailrace.exact(server, d, tables={"t"}, way="key")
    assert tailrace.rows("SELECT count(*) FROM x.t WHERE _sdc_deleted_at IS NOT NULL") == [(1999,)]
    nothing_new(tailrace, "t")


# --- by hand --------------------------------------------------------------------------------------------------------


def test_bookmarks_by_hand(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k INT, v INT)",
               f"INSERT INTO {d}.t SELECT 1, 1, 1 UNION SELECT 2, 2, 2 UNION SELECT 3, 3, 3 UNION SELECT 4, 4, 4",
               f"CREATE TABLE {d}.at_ (id INT NOT NULL PRIMARY KEY, k TIMESTAMP NULL)", f"INSERT INTO {d}.at_ VALUES (1, '2024-01-01')",
               f"CREATE TABLE {d}.whole (id INT NOT NULL PRIMARY KEY)")
    sync(tailrace, url(server, d), *KEY, "--look-back=0", "--look-back-units=0", "--exclude=whole")
    tailrace.run("select", "x", f"{d}.whole", "--method=full").expect(exits.OK)
    tailrace.sync(url(server, d), *KEY, "--look-back=0", "--look-back-units=0").expect(exits.OK)
    before = state(tailrace, "t")
    assert (before["method"], before["key"], before["next_start"]) == ("key", "k", "4")
    server.run(f"UPDATE {d}.t SET v = 20 WHERE id = 2", f"INSERT INTO {d}.t VALUES (5, 5, 5), (9, 9, 9)")
    tailrace.run("state", "x", f"{d}.t", "--set=2").fails(exits.CONFIG, "was not set", "--yes")  # no terminal
    assert state(tailrace, "t") == before
    for args, words in ([["t", "--set=soon"], "'soon'"], [["t", "--set=9223372036854775807"], "2147483647"], [["at_", "--set=2024-13-01"], "2024-13-01"],
                        [["whole", "--set=1"], "not read by key"], [["nothing", "--set=1"], "nothing"]):
        tailrace.run("state", "x", *args, "--yes").fails(exits.CONFIG, words, hint=False)
    tailrace.run("state", "x", "--set=2", "--yes").expect(exits.USAGE)
    assert state(tailrace, "t") == before
    answer = tailrace.run("state", "x", f"{d}.t", "--set=2", "--yes", "--json").expect(exits.OK).json
    assert (answer["was"], answer["next_start"]) == ("4", "2") and state(tailrace, "t")["next_start"] == "2"
    assert brief(run(tailrace)["t"]) == (5, 3, 2)  # 2 is new, 5 and 9, 3 and 4 are known
    tailrace.exact(server, d, tables={"t"}, way="key")
    server.run(f"INSERT INTO {d}.t VALUES (10, 10, 10), (20, 20, 20)")
    tailrace.run("state", "x", "t", "--set=15", "--yes").expect(exits.OK)  # forward: 10 is left out
    assert brief(run(tailrace)["t"]) == (1, 1, 0)
    assert alive(tailrace, "t") == [(1,), (2,), (3,), (4,), (5,), (9,), (20,)]
    assert state(tailrace, "t")["next_start"] == "20"
    tailrace.run("state", "x", "t", "--set=-5", "--yes").expect(exits.OK)
    tailrace.run("state", "x", "at_", "--set=2023-01-01T00:00Z", "--yes").expect(exits.OK)
    counts = run(tailrace)
    assert (brief(counts["t"]), brief(counts["at_"])) == ((8, 1, 7), (1, 0, 1))
    tailrace.exact(server, d, way="key")
    tailrace.run("state", "x", "t", "--set=1000", "--yes").expect(exits.OK)  # behind all: nothing until then
    assert brief(run(tailrace)["t"]) == (0, 0, 0)
    tailrace.run("reset", "x", f"{d}.t").expect(exits.OK)
    assert brief(run(tailrace)["t"]) == (8, 8, 0) and state(tailrace, "t")["version"] > 1


def test_a_run_of_some_tables_or_of_some_of_their_rows(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    names = ["t", "u", "full_", "filtered", "appended"]
    for t in names:
        server.run(f"CREATE TABLE {d}.{t} (id INT NOT NULL PRIMARY KEY, k INT, v INT)",
                   f"INSERT INTO {d}.{t} VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)")
    server.run(f"CREATE TABLE {d}.keyless (k INT, v INT)", f"INSERT INTO {d}.keyless VALUES (1, 1)")
    sync(tailrace, url(server, d), "--tables=t,u,keyless,lat*", *KEY, "--look-back-units=0", code=exits.PARTIAL)
    tailrace.run("select", "x", f"{d}.full_", "--method=full").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.filtered", "--where=v < 4 -- x").expect(exits.OK)
    tailrace.run("select", "x", f"{d}.appended", "--load=append").expect(exits.OK)
    run(tailrace, code=exits.PARTIAL)
    server.run(*(f"UPDATE {d}.{t} SET v = v + 10 WHERE id <= 2" for t in names), *(f"INSERT INTO {d}.{t} VALUES (5, 5, 5)" for t in names))
    before = {t: state(tailrace, t)["next_start"] for t in names}
    counts = run(tailrace, "--tables=u,f*")  # the integration's own pattern without a table is no part of it
    assert set(counts) == {"u", "full_", "filtered"}
    assert (brief(counts["u"]), brief(counts["full_"])) == ((2, 1, 1), (5, 5, 0))
    assert alive(tailrace, "t") == [(1,), (2,), (3,), (4,)]
    server.run(f"UPDATE {d}.full_ SET v = 30 WHERE id = 3")
    counts = run(tailrace, f"--tables={d}.*", "--where=id <= 3 -- (", code=exits.PARTIAL)
    assert {t: brief(counts[t]) for t in ("t", "u", "appended")} == {t: (3, 2, 1) for t in ("t", "u", "appended")}
    assert brief(counts["full_"]) == (3, 1, 2)
    assert brief(counts["filtered"]) == (1, 0, 1)  # what the table's own filter leaves out stays out
    assert counts["keyless"]["state"] == "refused" and "without a key" in counts["keyless"]["error"]
    assert {t: state(tailrace, t)["next_start"] for t in ("t", "appended")} == {t: before[t] for t in ("t", "appended")}
    assert [state(tailrace, t)["version"] for t in ("t", "appended")] == [1, 1]
    tailrace.exact(server, d, tables={"u", "full_"}, way="key")
    assert tailrace.rows("SELECT id, v FROM x.appended ORDER BY 1, 2") == [(1, 1), (1, 11), (2, 2), (2, 12), (3, 3), (4, 4)]
    for args in (["--where=id = 1"],):
        tailrace.run("run", "x", *args).fails(exits.USAGE, "--tables")
    tailrace.run("run", "x", "--tables=nothing").fails(exits.CONFIG, "no table")
    counts = run(tailrace, "--tables=full_,fulll,late", code=exits.PARTIAL)  # a pattern that is about nothing is told
    assert {t: counts[t]["state"] for t in counts} == {"full_": "live", "fulll": "unmatched", "late": "unmatched"}
    bad = tailrace.run("run", "x", "--tables=t", "--where=nothing = 1", "--json")
    bad.expect(exits.PARTIAL, exits.CONFIG)
    run(tailrace, code=exits.PARTIAL)
    tailrace.exact(server, d, tables={"t", "u", "full_"}, way="key")
    tailrace.exact(server, d, tables={"appended"}, way="append")


def test_rows_cannot_be_merged_into_a_copy_that_is_not_there(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k INT)", f"CREATE TABLE {d}.u (id INT NOT NULL PRIMARY KEY, k INT)",
               f"INSERT INTO {d}.t VALUES (1, 1)")
    sync(tailrace, url(server, d), "--tables=t", *KEY)
    tailrace.run("select", "x", f"{d}.u").expect(exits.OK)
    tailrace.run("run", "x", "--tables=u", "--where=id = 1").fails(exits.CONFIG, "no copy")
    tailrace.run("reset", "x", f"{d}.t").expect(exits.OK)
    tailrace.run("run", "x", "--tables=t", "--where=id = 1").fails(exits.CONFIG, "no copy")
    run(tailrace)
    tailrace.exact(server, d, way="key")


# --- values that do not fit -----------------------------------------------------------------------------------------


def test_a_boolean_becomes_a_number_in_the_middle_of_a_read(either_server, make_database, tailrace, fill):
    server, d = either_server, make_database(either_server)
    fill(server, d, "seed", 600, 100)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k INT, yes TINYINT(1), v VARCHAR(100))",
               f"INSERT INTO {d}.t SELECT id, id, id % 2, v FROM {d}.seed WHERE id <= 100",
               f"CREATE TABLE {d}.appended LIKE {d}.t", f"INSERT INTO {d}.appended SELECT * FROM {d}.t")
    sync(tailrace, url(server, d), *KEY, *TINY, "--exclude=seed", "--look-back-units=0")
    tailrace.run("select", "x", f"{d}.appended", "--load=append").expect(exits.OK)
    run(tailrace)
    before = versions(tailrace, "t", "appended")
    with tailrace.opened() as copy:
        assert dict(copy.columns("x", "t"))["yes"] == "BOOLEAN"
    for t in ("t", "appended"):
        server.run(f"INSERT INTO {d}.{t} SELECT id, id, IF(id = 350, -7, id % 2), v FROM {d}.seed WHERE id > 100")
    counts = run(tailrace)
    assert brief(counts["t"]) == brief(counts["appended"]) == (501, 500, 1)
    assert versions(tailrace, "t", "appended") == before
    tailrace.exact(server, d, tables={"t"}, way="key")
    tailrace.exact(server, d, tables={"appended"}, way="append")
    nothing_new(tailrace, "t", "appended")


def test_rejected_rows_are_told_once_and_loaded_when_they_are_right(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k INT, at DATE, v TEXT)",
               f"INSERT INTO {d}.t VALUES (1, 1, '2024-01-01', 'a')")
    sync(tailrace, url(server, d), *KEY, "--dates=reject", "--row-limit=1KiB", "--look-back-units=0")
    c = server.connect(init_command="SET sql_mode = ''")
    with c.cursor() as cursor:
        cursor.execute(f"INSERT INTO {d}.t VALUES (2, 2, '0000-00-00', 'b'), (3, 3, '2024-01-03', REPEAT('x', 5000)), (4, 4, '2024-01-04', 'd')")
        cursor.execute(f"UPDATE {d}.t SET k = 5, at = '2024-00-00' WHERE id = 1")
    c.close()
    counts = run(tailrace, code=exits.PARTIAL)
    assert (counts["t"]["read"], counts["t"]["applied"], counts["t"]["quarantined"]) == (4, 1, 3)
    assert tailrace.rows("SELECT id FROM x.t ORDER BY 1") == [(1,), (4,)]  # 1 as it was before
    rejected = "SELECT count(*) FROM x._sdc_rejected"
    assert tailrace.rows(rejected) == [(3,)]
    # Row 1 has the greatest key and is read again in each run: rejected again, and told so, but not recorded twice.
    counts = run(tailrace, code=(exits.PARTIAL))
    assert (counts["t"]["read"], counts["t"]["applied"]) == (1, 0)
    assert tailrace.rows(rejected) == [(3,)]
    server.run(f"UPDATE {d}.t SET k = 6, at = '2024-01-01' WHERE id IN (1, 2)", f"UPDATE {d}.t SET k = 6, v = 'c' WHERE id = 3")
    counts = run(tailrace)
    assert counts["t"]["applied"] == 3
    tailrace.exact(server, d, way="key")
    nothing_new(tailrace, "t")


def test_a_sweep_that_meets_a_rejected_key_rejects_it_no_second_time(either_server, make_database, tailrace):
    server, d = either_server, make_database(either_server)
    c = server.connect(init_command="SET sql_mode = ''")
    with c.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {d}.t (at DATE NOT NULL, id INT NOT NULL, k INT, PRIMARY KEY (at, id))")
        cursor.execute(f"INSERT INTO {d}.t VALUES ('0000-00-00', 1, 1), ('2024-01-01', 2, 2), ('2024-01-01', 3, 3)")
    c.close()
    sync(tailrace, url(server, d), *KEY, "--sweep", "--look-back-units=0", code=exits.PARTIAL)
    server.run(f"DELETE FROM {d}.t WHERE id = 2")
    result = tailrace.run("run", "x", "--json")
    assert brief(counted(result, exits.PARTIAL)["t"]) == (1, 0, 1)
    assert "keys of the source could not be represented" in result.err
    assert tailrace.rows("SELECT count(*) FROM x._sdc_rejected") == [(1,)]
    assert alive(tailrace, "t") == [(2,), (3,)]  # which row is gone cannot be told


def test_two_databases_with_a_table_of_the_same_name(either_server, make_database, tailrace):
    server, a, b = either_server, make_database(either_server, "_a"), make_database(either_server, "_b")
    for d in (a, b):
        server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY, k INT, v VARCHAR(40))", f"INSERT INTO {d}.t VALUES (1, 1, '{d}'), (2, 2, '{d}')")
    tailrace.sync(url(server, a, b), *KEY, "--sweep", "--look-back-units=0").expect(exits.OK)
    tailrace.exact(server, a, b, way="key")
    server.run(f"INSERT INTO {a}.t VALUES (3, 3, 'a')", f"UPDATE {b}.t SET k = 9, v = 'b' WHERE id = 1", f"DELETE FROM {b}.t WHERE id = 2")
    result = tailrace.run("run", "x", "--json").expect(exits.OK).json
    assert sorted((s["database"], s["applied"]) for s in result["streams"]) == [(a, 1), (b, 1)]
    tailrace.exact(server, a, b, way="key")
    tailrace.run("state", "x", f"{b}.t", "--set=1", "--yes").expect(exits.OK)
    tailrace.run("state", "x", "t", "--set=1", "--yes").expect(exits.CONFIG)  # which one?
    result = tailrace.run("run", "x", "--json").expect(exits.OK).json
    assert sorted((s["database"], s["read"], s["applied"]) for s in result["streams"]) == [(a, 1, 0), (b, 1, 0)]
    tailrace.exact(server, a, b, way="key")

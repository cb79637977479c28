"""`tailrace binlog SOURCE`: the log as a server sends it to a replica, against what lies in the server's own files."""
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from support import exits


def cursor_rows(server, *statements):
    """Of the first statement that the server parses: old and new spellings."""
    for sql in statements:
        try:
            return server.run(sql)
        except Exception as e:
            if e.args[0] != 1064 or sql == statements[-1]:
                raise


def log_files(server):
    return [row[0] for row in server.run("SHOW BINARY LOGS")]


def has_log(server):
    return server.run("SELECT @@log_bin")[0][0] == 1


def new_file(server):
    server.run("FLUSH BINARY LOGS")
    return log_files(server)[-1]


def path_of(server, name):
    return pathlib.Path(server.run("SELECT @@log_bin_basename")[0][0]).parent / name


def workload(server, database, big=False):
    server.run(
        f"CREATE TABLE {database}.t (id INT NOT NULL PRIMARY KEY, v VARCHAR(40), d DECIMAL(20,5), j JSON, b LONGBLOB, c LONGTEXT)",
        f"INSERT INTO {database}.t VALUES (1, 'ä', 1.5, '[1]', NULL, NULL), (2, NULL, -7, NULL, x'00ff', 'x')",
        f"UPDATE {database}.t SET v = 'new', d = d * 3",
        f"DELETE FROM {database}.t WHERE id = 2",
        "ALTER TABLE %s.t ADD COLUMN more BIGINT UNSIGNED" % database,
        f"INSERT INTO {database}.t VALUES (3, 'c', 0, '{{\"a\": null}}', NULL, NULL, 18446744073709551615)")
    if big:  # an event of more than one packet of 16 MiB, in a server whose client packets are smaller
        ten = 10 * 1024 * 1024
        server.run(f"UPDATE {database}.t SET b = REPEAT('x', {ten}), c = REPEAT('y', {ten}) WHERE id = 3")


def of_server(tailrace, url, *args, **how):
    lines = tailrace.run("binlog", url, "--json", *args, **how).expect(exits.OK).out.split("\n")[:-1]
    for line in lines[:40]:
        json.loads(line, object_pairs_hook=without_doubles)
    return lines


def without_doubles(pairs):
    assert len({k for k, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def of_file(tailrace, server, name):
    return tailrace.run("binlog", path_of(server, name), "--json").expect(exits.OK).out.split("\n")[:-1]


def without_file(lines, name):
    head = '{"log":"%s",' % name
    return ["{" + line[len(head):] for line in lines if line.startswith(head)]


@pytest.fixture
def logged(every_server):
    if not has_log(every_server):
        pytest.skip("writes no binary log")
    return every_server


@pytest.fixture
def replica(server, request):
    """A server, and an account that sees nothing but the log."""
    user = f"dump_{os.getpid()}_{abs(hash(request.node.name)) % 10000}"
    server.run(f"CREATE USER {user}@'%' IDENTIFIED BY 'pw'", f"GRANT REPLICATION SLAVE ON *.* TO {user}@'%'")
    yield server, user
    server.run(f"DROP USER {user}@'%'")


def test_a_server_sends_what_its_files_hold(logged, make_database, tailrace):
    server = logged
    first = new_file(server)
    workload(server, make_database(server), big=server.name in ("f-mysql97", "f-mariadb118"))
    second = new_file(server)
    got = of_server(tailrace, server.url(), "--start", first)
    assert len(without_file(got, first)) > 20
    assert without_file(got, first) == of_file(tailrace, server, first)
    assert {json.loads(line)["log"] for line in got[-2:]} <= set(log_files(server)), second


def test_a_place_and_a_set_of_gtids_begin_behind_a_transaction(logged, make_database, tailrace):
    server = logged
    first = new_file(server)
    workload(server, make_database(server))
    new_file(server)
    lines = of_server(tailrace, server.url(), "--start", first)
    events = [json.loads(line) for line in lines if line.startswith('{"log":"%s",' % first)]
    starts = [i for i, e in enumerate(events) if "gtid" in e or e.get("type") == "ANONYMOUS_GTID_EVENT"]
    cut = starts[3]
    got = of_server(tailrace, server.url(), "--start", f"{first}:{events[cut]['offset']}")
    assert [json.loads(x) for x in got][:len(events) - cut] == events[cut:]
    if not events[cut].get("gtid"):
        url = server.url()
        tailrace.run("binlog", url, "--start-gtid", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5").fails(
            exits.CONFIG, "gtid_mode")
        return
    before = events[starts[2]]["gtid"]
    if not server.mariadb:
        before = server.run("SELECT @@global.gtid_executed")[0][0].replace("\n", "")
        later = ",".join(events[i]["gtid"] for i in starts[3:] if "gtid" in events[i])
        before = server.run(f"SELECT GTID_SUBTRACT('{before}', '{later}')")[0][0].replace("\n", "")
    got = [json.loads(x) for x in of_server(tailrace, server.url(), "--start-gtid", before)]
    got = [e for e in got if e["log"] == first and e["offset"] >= events[cut]["offset"]]
    assert got == events[cut:], "offsets, too, though what is before is left out"


@pytest.mark.parametrize("way", ["socket", "tls"])
def test_other_ways_to_the_server_give_the_same(newest_server, make_database, tailrace, way):
    server = newest_server
    if server.profile != "friendly":
        pytest.skip("needs our certificates")
    first = new_file(server)
    workload(server, make_database(server))
    new_file(server)
    url = server.url(options=f"tls=verify-identity&ca={os.environ['TEST_CA']}")
    if way == "socket":
        url = f"mysql://repl@/?socket={server.socket}"
    got = without_file(of_server(tailrace, url, "--start", first), first)
    assert got == of_file(tailrace, server, first)


def test_filters_are_those_of_a_file(either_server, make_database, tailrace):
    server = either_server
    database = make_database(server)
    first = new_file(server)
    workload(server, database)
    new_file(server)
    some = [json.loads(x) for x in of_server(tailrace, server.url(), "--start", first, "--table", f"{database}.t")]
    assert {e["table"] for e in some} == {"t"} and len([e for e in some if "row" in e]) == 6
    lines = tailrace.run("binlog", server.url(), "--start", first, "--table", f"{database}.t").expect(exits.OK).out
    assert lines.startswith(f"{first}:") and "insert id=1" in lines


def registered(server):
    rows = cursor_rows(server, "SHOW SLAVE HOSTS", "SHOW REPLICAS")
    return {row[0] for row in rows if row[1] == "tailrace"}


def dump_threads(server, user):
    return [row[0] for row in server.run("SHOW PROCESSLIST") if row[1] == user and "Binlog Dump" in row[4]]


def wait_for(what, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_two_that_follow_are_listed_see_rows_and_end_with_their_connection(replica, make_database, tailrace):
    server, user = replica
    database = make_database(server)
    server.run(f"CREATE TABLE {database}.t (id INT PRIMARY KEY)")
    before, start = registered(server), new_file(server)
    both = [tailrace.start("binlog", server.url(user=user), "--json", "--start", start, "--follow", "--table",
                           f"{database}.*") for _ in range(2)]
    wait_for(lambda: len(dump_threads(server, user)) == 2)
    ours = registered(server) - before
    assert len(ours) >= 2 and all(0x54520000 <= i <= 0x5452ffff for i in ours)
    for n in (1, 2):  # the second arrives at readers that wait
        server.run(f"INSERT INTO {database}.t VALUES ({n})")
        wait_for(lambda: all(f'"after":{{"id":{n}}}' in pathlib.Path(p.files[0].name).read_text() for p in both))
    server.run(f"KILL {dump_threads(server, user)[0]}")
    ended = wait_for(lambda: [p for p in both if p.poll() is not None])
    tailrace.finish(ended[0]).expect(exits.SOURCE)
    other = [p for p in both if p not in ended]
    assert len(other) == 1
    other[0].terminate()
    assert tailrace.finish(other[0], timeout=5).code == exits.STOPPED


def test_what_is_missing_is_named(server, tailrace):
    if not has_log(server):
        pytest.skip("writes no binary log")
    tailrace.run("binlog", server.url(user="ro")).fails(exits.CONFIG, "denied")
    assert "REPLICATION SLAVE" in tailrace.run("binlog", server.url(user="ro")).err
    names = log_files(server)
    tailrace.run("binlog", server.url(), "--start", "gone.000001").fails(
        exits.SOURCE, "'gone.000001'", names[0], names[-1])
    tailrace.run("binlog", server.url(), "--start", f"{names[-1]}:5").fails(exits.SOURCE, names[-1])
    tailrace.run("binlog", server.url(), "--start", f"{names[-1]}:4000000000").fails(exits.SOURCE, "position")
    tailrace.run("binlog", server.url(), "--start", f"{names[-1]}:x").fails(exits.CONFIG, "no place in a log")
    tailrace.run("binlog", server.url(), "--offset", "7").fails(exits.CONFIG, "--offset")
    tailrace.run("binlog", "/dev/null", "--follow").fails(exits.CONFIG, "--follow")
    unknown = "0-1-999999999" if server.mariadb else "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
    wrong = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5" if server.mariadb else "0-1-999999999"
    tailrace.run("binlog", server.url(), "--start-gtid", wrong).fails(exits.CONFIG, hint=False)
    if server.mariadb:
        tailrace.run("binlog", server.url(), "--start-gtid", unknown).fails(exits.SOURCE, unknown)


def test_purged_transactions_are_named(server, tailrace):
    if server.mariadb or not has_log(server) or server.run("SELECT @@gtid_mode")[0][0] != "ON":
        pytest.skip("GTIDs of MySQL")
    new_file(server)
    names = log_files(server)
    server.run(f"PURGE BINARY LOGS TO '{names[1]}'")
    tailrace.run("binlog", server.url(), "--start", names[0]).fails(exits.SOURCE, names[0], names[1])
    own = server.run("SELECT @@server_uuid")[0][0]
    executed = server.run("SELECT @@global.gtid_executed")[0][0].replace("\n", "")
    last = max(int(n) for n in re.findall(r"\d+", executed.split(own, 1)[1].split(",")[0]))
    tailrace.run("binlog", server.url(), "--start-gtid", f"{own}:{last}").fails(exits.SOURCE, "purged")


def test_a_server_without_a_log_says_so(every_server, tailrace):
    if has_log(every_server):
        pytest.skip("writes a binary log")
    tailrace.run("binlog", every_server.url()).fails(exits.CONFIG, "no binary log", "log_bin")


def test_a_reader_that_goes_away_ends_it(either_server, tailrace):
    args = tailrace.command(["binlog", either_server.url(), "--follow"])
    p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=tailrace.environment())
    p.stdout.read(100)
    p.stdout.close()
    either_server.run("FLUSH BINARY LOGS")
    assert p.wait(20) == exits.STOPPED

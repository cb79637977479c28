"""What status says of the place in the log while a job follows it."""
from support import exits
from support.program import wait_until

LOG = ["--method=log", "--handover-wait=1s"]


def place(tailrace):
    return tailrace.run("status", "x", "--json").expect(exits.OK).json["log"]


def test_status_shows_how_far_a_job_has_followed(tailrace, either_server, make_database):
    server, d = either_server, make_database(either_server)
    server.run(f"CREATE TABLE {d}.t (id INT NOT NULL PRIMARY KEY)")
    tailrace.sync(server.url(d), *LOG).expect(exits.OK)
    ended = place(tailrace)
    assert ended["fresh_to"] and ended["behind_seconds"] is None
    job = tailrace.start("run", "x", "--follow")
    server.run(f"INSERT INTO {d}.t VALUES (1)")
    end = server.run("SHOW MASTER STATUS" if server.mariadb else "SHOW BINARY LOG STATUS")[0]

    def has_come():
        now = place(tailrace)
        return now and (now["file"], now["offset"]) >= tuple(end[:2]) and now["fresh_to"] and now["behind_seconds"] is not None

    wait_until(has_come, timeout=60)
    assert job.poll() is None
    assert "s behind" in tailrace.run("status", "x").out
    before = place(tailrace)["fresh_to"]
    wait_until(lambda: place(tailrace)["fresh_to"] > before, timeout=60)  # also while nothing happens
    tailrace.run("stop", "x").expect(exits.OK)
    tailrace.finish(job).expect(exits.OK, exits.STOPPED)
    assert place(tailrace)["behind_seconds"] is None
